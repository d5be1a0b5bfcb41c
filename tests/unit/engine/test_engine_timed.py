"""What happens because time has passed: delayed jobs become due, and what is over is removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.job import Idempotency, Submission
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import DISK_FULL, SETUP, FragileStore, Host, hosting, submission
from tests.unit.engine.queueing import HOUR_SECONDS, JumpingClock, MakeStore, becomes, disappears, ends, hand_in
from tests.unit.workers.harness import until

DELAY_SECONDS = 0.3


@pytest.fixture
async def host(make_store: MakeStore) -> AsyncIterator[Host]:
    async with hosting(make_store(system_clock())) as host:
        yield host


async def test_a_delayed_job_waits_as_scheduled_and_begins_no_sooner(host: Host) -> None:
    answer = await host.submit("a", "echo", delay_seconds=DELAY_SECONDS)
    waiting = answer.job
    assert waiting.not_before is not None
    assert (waiting.state, waiting.status) == (State.SCHEDULED, "pending")
    assert waiting.not_before == pytest.approx(waiting.created_at + DELAY_SECONDS)
    job = (await host.end("a")).job
    assert job.started_at is not None
    assert job.started_at >= waiting.not_before
    assert (job.state, job.not_before) == (State.COMPLETED, None)


async def test_a_job_with_a_time_begins_no_sooner_and_one_whose_time_has_passed_at_once(host: Host) -> None:
    now = system_clock()()
    assert (await host.submit("in an hour", "echo", run_at=now + HOUR_SECONDS)).job.state is State.SCHEDULED
    assert (await host.submit("an hour ago", "echo", run_at=now - HOUR_SECONDS)).job.state is State.QUEUED
    assert (await host.end("an hour ago")).job.state is State.COMPLETED
    assert (await host.status("in an hour")).job.not_before == now + HOUR_SECONDS
    soon = system_clock()() + DELAY_SECONDS
    await host.submit("soon", "echo", run_at=soon)
    job = (await host.end("soon")).job
    assert job.started_at is not None
    assert job.started_at >= soon


async def test_a_delay_begins_with_the_start_of_an_added_job(host: Host) -> None:
    added = await hand_in(host, submission("a", delay_seconds=DELAY_SECONDS), start=False)
    assert (added.job.state, added.job.not_before) == (State.CREATED, None)
    started = await host.start("a")
    assert started.job.queued_at is not None
    assert started.job.not_before == pytest.approx(started.job.queued_at + DELAY_SECONDS)
    assert (await host.start("a")).job == started.job
    job = (await host.end("a")).job
    assert job.started_at is not None
    assert started.job.not_before is not None
    assert job.started_at >= started.job.not_before


async def test_of_delayed_jobs_the_next_one_is_waited_for(host: Host) -> None:
    await host.submit("late", "echo", delay_seconds=HOUR_SECONDS)
    await host.submit("later", "echo", delay_seconds=2 * HOUR_SECONDS)
    await host.submit("soon", "echo", delay_seconds=DELAY_SECONDS)
    await host.submit("sooner", "echo", delay_seconds=DELAY_SECONDS / 3)
    await ends(host, ["sooner", "soon"])
    assert [job_id for job_id, _ in host.ended] == ["sooner", "soon"]
    assert (await host.engine.health()).counts.by_state == {"scheduled": 2, "completed": 2}


async def test_a_delayed_job_is_stopped_and_deleted_like_any_other(host: Host) -> None:
    for job_id in ("stopped", "deleted"):
        await host.submit(job_id, "echo", delay_seconds=DELAY_SECONDS)
    assert (await host.stop("stopped")).job.state is State.STOPPED
    assert (await host.delete("deleted")).job.state is State.DELETED
    await host.submit("after", "echo", delay_seconds=1.5 * DELAY_SECONDS)
    await host.end("after")
    assert [(await host.status(job_id)).job.attempt for job_id in ("stopped", "deleted")] == [0, 0]


async def test_a_thousand_that_are_due_at_once_all_run_once_in_the_order_of_their_times(make_store: MakeStore) -> None:
    clock = JumpingClock()
    async with hosting(make_store(clock), clock=clock) as host:
        noon = clock() + HOUR_SECONDS
        for number in range(1000):
            host.submit(str(number), "echo", number, run_at=noon + number / 1e4)
        await host.submit("soon", "echo", delay_seconds=DELAY_SECONDS)
        clock.jump(2 * HOUR_SECONDS)
        await until(lambda: len(host.ended) == 1001)
        expected = [(str(number), "completed") for number in range(1000)]
        assert [entry for entry in host.ended if entry[0] != "soon"] == expected


async def test_delayed_jobs_are_due_after_a_restart(make_store: MakeStore) -> None:
    clock = JumpingClock()
    async with hosting(make_store(clock), clock=clock, warm=False) as host:
        await host.submit("due meanwhile", "echo", delay_seconds=HOUR_SECONDS)
        await host.submit("due soon", "echo", run_at=clock() + HOUR_SECONDS + DELAY_SECONDS)
        await host.submit("due late", "echo", delay_seconds=3 * HOUR_SECONDS)
    clock.jump(HOUR_SECONDS)
    async with hosting(make_store(clock), clock=clock) as host:
        await ends(host, ["due meanwhile", "due soon"])
        assert (await host.status("due late")).job.state is State.SCHEDULED


async def test_finished_jobs_and_tombstones_are_removed_and_nothing_else(make_store: MakeStore, tmp_path: Path) -> None:
    clock, release = JumpingClock(), tmp_path / "release"
    async with hosting(make_store(clock), clock=clock, retention_seconds=HOUR_SECONDS) as host:
        same = Idempotency(key="once", fingerprint="x")
        completed = Submission(
            job_id="completed", job_type="test", target="tests.unit.engine.tasks:echo", idempotency=same
        )
        await hand_in(host, completed)
        await host.submit("failed", "fail", "no luck")
        await ends(host, ["completed", "failed"])
        for job_id in ("stopped", "deleted", "created"):
            await host.add(job_id)
        await host.stop("stopped")
        await host.delete("deleted")
        await host.submit("scheduled", "echo", delay_seconds=100 * HOUR_SECONDS)
        await host.submit("running", "hold", str(release))
        await host.working("running")
        await host.submit("queued", "echo")
        clock.jump(HOUR_SECONDS)
        await host.add("stopped just now")
        await host.stop("stopped just now")
        await disappears(host, "completed", "failed", "stopped", "deleted")
        page = (await host.engine.reading.list_jobs(JobQuery())).page
        assert {job.job_id for job in page.jobs} == {"created", "scheduled", "running", "queued", "stopped just now"}
        again = await hand_in(host, completed)
        assert again.job.state is State.QUEUED
        release.touch()
        await ends(host, ["running", "queued", "completed"])


async def test_finished_jobs_are_kept_for_ever_if_they_are_meant_to_be(make_store: MakeStore) -> None:
    clock = JumpingClock()
    async with hosting(make_store(clock), clock=clock, retention_seconds=0, tombstone_seconds=0) as host:
        await host.submit("finished", "echo")
        await host.end("finished")
        clock.jump(1e6 * HOUR_SECONDS)
        for number in range(2):
            # A tombstone that is gone tells that it has been swept.
            await host.add(f"deleted {number}")
            await host.delete(f"deleted {number}")
            await disappears(host, f"deleted {number}")
        assert (await host.status("finished")).job.state is State.COMPLETED


async def test_a_thousand_that_are_over_are_removed_in_one_sweep(make_store: MakeStore) -> None:
    clock = JumpingClock()
    async with hosting(make_store(clock), clock=clock, warm=False) as host:
        for number in range(1000):
            host.add(str(number))
            host.stop(str(number))
        await until(lambda: len(host.ended) == 1000)
    clock.jump(6 * HOUR_SECONDS)
    # The next sweep would be in an hour.
    async with hosting(make_store(clock), clock=clock, warm=False, retention_seconds=6 * HOUR_SECONDS) as host:
        await disappears(host, *map(str, range(1000)))
        assert (await host.engine.health()).counts.by_state == {}


async def test_a_store_that_fails_when_jobs_are_due_is_asked_again() -> None:
    store = FragileStore()
    async with hosting(store) as host:
        await host.submit("a", "echo", delay_seconds=DELAY_SECONDS / 3)
        store.write_failure = DISK_FULL
        await until(lambda: ["Due"] in store.groups)
        failed = store.groups.count(["Due"])
        await until(lambda: store.groups.count(["Due"]) > failed)
        assert host.ended == []
        store.write_failure = None
        assert (await host.end("a")).job.state is State.COMPLETED


async def test_a_store_that_cannot_say_what_is_due_next_is_asked_again() -> None:
    store = FragileStore()
    async with hosting(store, warm=False) as host:
        await host.submit("first", "echo", delay_seconds=DELAY_SECONDS / 3)
        await host.submit("second", "echo", delay_seconds=DELAY_SECONDS)
        store.read_failure = DISK_FULL
        await until(lambda: store.failed_reads == 2)
        store.read_failure = None
        host.engine.warm_up(SETUP)
        assert {job.state for job in await ends(host, ["first", "second"])} == {State.COMPLETED}


async def test_a_store_that_fails_a_sweep_is_swept_at_the_next() -> None:
    store = FragileStore()
    async with hosting(store, warm=False, tombstone_seconds=0) as host:
        await host.add("a")
        await host.delete("a")
        store.write_failure = DISK_FULL
        await until(lambda: ["Sweep"] in store.groups)
        assert (await host.status("a")).job.state is State.DELETED
        store.write_failure = None
        await disappears(host, "a")


async def test_an_engine_that_has_closed_asks_its_store_for_nothing_more() -> None:
    store = FragileStore()
    async with hosting(store, warm=False, tombstone_seconds=0) as host:
        await host.submit("a", "echo", delay_seconds=DELAY_SECONDS / 3)
    groups = len(store.groups)
    async with hosting(warm=False) as other:
        # By then the delay is over, and the time for a sweep has come.
        await other.submit("b", "echo", delay_seconds=1.2)
        await becomes(other, "b", "queued")
    assert len(store.groups) == groups
