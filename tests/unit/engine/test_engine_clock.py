"""A clock that is set an hour back or forward while the engine runs: no job is lost, doubled or stalled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.timed import Scheduler
from mcp_queue_plugin.model.operations import Applied, Due, Operation, Outcome, OutcomeCallback
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from tests.contract.samples import add
from tests.unit.engine.harness import Host, hosting
from tests.unit.engine.queueing import HOUR_SECONDS, JumpingClock, MakeStore, becomes, disappears, ends, report
from tests.unit.workers.harness import until

DELAY_SECONDS = 0.4
PAUSE_SECONDS = 0.4
QUEUES = {"default": QueueRule(), "paced": QueueRule(max_concurrent_jobs=1, min_pause_seconds=PAUSE_SECONDS)}

either_way = pytest.mark.parametrize("jump_seconds", [-HOUR_SECONDS, HOUR_SECONDS], ids=["back", "forward"])


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def host(make_store: MakeStore, clock: JumpingClock) -> AsyncIterator[Host]:
    async with hosting(make_store(clock), clock=clock, max_concurrent_jobs=2, min_workers=2, queues=QUEUES) as host:
        yield host


@either_way
async def test_jobs_that_run_end_once(host: Host, clock: JumpingClock, tmp_path: Path, jump_seconds: float) -> None:
    release, runs = tmp_path / "release", tmp_path / "runs"
    await host.submit("running", "hold", str(release))
    await host.working("running")
    for number in range(10):
        await host.submit(f"before {number}", "append", str(runs))
    clock.jump(jump_seconds)
    for number in range(10):
        await host.submit(f"after {number}", "append", str(runs))
    jobs = [f"{when} {number}" for when in ("before", "after") for number in range(10)]
    assert {(job.state, job.attempt) for job in await ends(host, jobs)} == {(State.COMPLETED, 1)}
    assert len(runs.read_text().splitlines()) == 20
    # In the order of their coming: the other worker was free for them alone.
    assert [job_id for job_id, _ in host.ended] == jobs
    release.touch()
    assert [(job.state, job.attempt) for job in await ends(host, ["running"])] == [(State.COMPLETED, 1)]


@either_way
async def test_jobs_that_wait_for_a_delay_run_once(
    host: Host, clock: JumpingClock, tmp_path: Path, jump_seconds: float
) -> None:
    runs = tmp_path / "runs"
    for number in range(5):
        await host.submit(f"before {number}", "append", str(runs), delay_seconds=DELAY_SECONDS * (1 + number % 2))
    clock.jump(jump_seconds)
    # Due sooner than those before: the timer is set to it by the new time.
    await host.submit("after", "append", str(runs), delay_seconds=DELAY_SECONDS / 4)
    jobs = ["after", *(f"before {number}" for number in range(5))]
    assert {(job.state, job.attempt) for job in await ends(host, jobs)} == {(State.COMPLETED, 1)}
    assert len(runs.read_text().splitlines()) == 6


async def test_a_clock_that_is_wrong_for_a_moment_stalls_no_delay_that_began_then(
    host: Host, clock: JumpingClock
) -> None:
    clock.jump(HOUR_SECONDS)
    await host.submit("meanwhile", delay_seconds=DELAY_SECONDS)
    clock.jump(-HOUR_SECONDS)
    assert (await host.end("meanwhile")).job.state is State.COMPLETED


async def test_a_clock_that_is_set_back_shortens_no_delay(host: Host, clock: JumpingClock) -> None:
    await host.submit("before", delay_seconds=DELAY_SECONDS)
    clock.jump(-HOUR_SECONDS)
    job = (await host.end("before")).job
    assert job.queued_at is not None
    # It has begun again by the new time; so every time in the record is of that.
    assert job.started_at is not None
    assert clock() - 60 < job.queued_at <= job.started_at


async def test_a_clock_that_is_set_back_just_when_a_job_becomes_due_does_not_stall_it(clock: JumpingClock) -> None:
    store = MemoryStore(clock)
    await store.open()
    await store.apply([add("due", options=JobOptions(delay_seconds=DELAY_SECONDS))])
    groups: list[list[Outcome]] = []

    def submit(operation: Operation, callback: OutcomeCallback | None) -> None:
        spawn(apply(operation, callback), name="apply")

    async def apply(operation: Operation, callback: OutcomeCallback | None) -> None:
        if not groups:
            clock.jump(-HOUR_SECONDS)
        groups.append(await store.apply([operation]))
        assert callback is not None
        callback(groups[-1][0])

    scheduler = Scheduler(store, submit, clock)
    await scheduler.open()
    # The one that the clock was set back under, the one that begins the delay again, and the one at its end.
    await until(lambda: len(groups) == 3)
    scheduler.close()
    job = await store.get("due")
    assert job is not None
    assert job.state is State.QUEUED


def test_jobs_that_are_due_at_once_are_noted_on_the_loop_that_the_engine_runs_on(clock: JumpingClock) -> None:
    asked: list[Operation] = []

    async def note() -> None:
        store = MemoryStore(clock)
        await store.open()
        (added,) = await store.apply([add("due", options=JobOptions(delay_seconds=1e-6))])
        assert isinstance(added, Applied)
        scheduler = Scheduler(store, lambda operation, _: asked.append(operation), clock)
        # Of one that runs at once, by the time at which the turn of its loop began, uvloop cannot say when.
        await asyncio.sleep(0)
        scheduler.on_change(added.job)
        scheduler.on_change(added.job)
        await until(lambda: asked)
        scheduler.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(note())
    assert [type(operation) for operation in asked] == [Due]


@either_way
async def test_a_job_that_waits_for_its_retry_runs_again(
    host: Host, clock: JumpingClock, tmp_path: Path, jump_seconds: float
) -> None:
    runs = tmp_path / "runs"
    await host.submit("failing", "fail_until", [str(runs), 2], max_retries=1, retry_base_seconds=DELAY_SECONDS)
    await becomes(host, "failing", "scheduled")
    clock.jump(jump_seconds)
    job = (await host.end("failing")).job
    assert (job.state, job.attempt) == (State.COMPLETED, 2)
    assert len(runs.read_text().splitlines()) == 2


@either_way
async def test_a_queue_that_pauses_goes_on_after_its_pause(
    host: Host, clock: JumpingClock, jump_seconds: float
) -> None:
    await host.submit("first", "echo", queue="paced")
    await host.end("first")
    clock.jump(jump_seconds)
    opens_in_seconds = (await report(host, "paced")).opens_in_seconds
    assert 0 < opens_in_seconds <= PAUSE_SECONDS
    for number in range(2):
        await host.submit(f"job {number}", "echo", queue="paced")
    job, later = await ends(host, ["job 0", "job 1"])
    assert job.completed_at is not None
    assert later.started_at is not None
    assert later.started_at - job.completed_at >= PAUSE_SECONDS


async def test_a_time_that_was_asked_for_as_such_holds_when_the_clock_is_set_back(
    host: Host, clock: JumpingClock
) -> None:
    await host.submit("at noon", run_at=clock() + DELAY_SECONDS)
    clock.jump(-HOUR_SECONDS)
    await host.submit("delayed", delay_seconds=2 * DELAY_SECONDS)
    await host.end("delayed")
    assert (await host.status("at noon")).job.state is State.SCHEDULED
    clock.jump(HOUR_SECONDS)
    await host.submit("another", delay_seconds=0.01)
    assert (await host.end("at noon")).job.state is State.COMPLETED


@either_way
async def test_jobs_that_wait_over_a_restart_with_another_time_run_once(
    make_store: MakeStore, clock: JumpingClock, tmp_path: Path, jump_seconds: float
) -> None:
    runs = tmp_path / "runs"
    async with hosting(make_store(clock), clock=clock, warm=False, queues=QUEUES) as host:
        await host.submit("delayed", "append", str(runs), delay_seconds=DELAY_SECONDS)
        for number in range(3):
            await host.submit(f"queued {number}", "append", str(runs), queue="paced")
    clock.jump(jump_seconds)
    async with hosting(make_store(clock), clock=clock, queues=QUEUES) as host:
        jobs = ["delayed", *(f"queued {number}" for number in range(3))]
        assert {(job.state, job.attempt) for job in await ends(host, jobs)} == {(State.COMPLETED, 1)}
    assert len(runs.read_text().splitlines()) == 4


@either_way
async def test_finished_jobs_are_kept_and_swept_all_the_same(
    make_store: MakeStore, clock: JumpingClock, jump_seconds: float
) -> None:
    store = make_store(clock)
    async with hosting(store, clock=clock, retention_seconds=2 * HOUR_SECONDS) as host:
        await host.submit("finished", "echo")
        await host.end("finished")
        clock.jump(jump_seconds)
        await host.submit("a tombstone", "echo")
        await host.delete("a tombstone")
    # From whatever time on: everything is older now than it is kept.
    clock.jump(2 * HOUR_SECONDS + max(0.0, -jump_seconds))
    async with hosting(store, clock=clock, warm=False, retention_seconds=2 * HOUR_SECONDS) as host:
        await disappears(host, "finished", "a tombstone")
