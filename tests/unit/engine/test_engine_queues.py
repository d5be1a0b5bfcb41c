"""Named queues: their slots, their pauses and their order, over real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import SETUP, Host, hosting
from tests.unit.engine.queueing import MakeStore, becomes, ends, pauses, report, started_in_order
from tests.unit.workers.harness import until

PAUSE_SECONDS = 0.25
FOR_EVER_SECONDS = 3600.0

QUEUES = {
    "default": QueueRule(),
    "narrow": QueueRule(max_concurrent_jobs=1),
    "paced": QueueRule(min_pause_seconds=PAUSE_SECONDS),
    "slow": QueueRule(min_pause_seconds=FOR_EVER_SECONDS),
    "careful": QueueRule(backoff_base_seconds=FOR_EVER_SECONDS, backoff_max_seconds=2 * FOR_EVER_SECONDS),
    "brave": QueueRule(backoff_base_seconds=PAUSE_SECONDS),
}


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting(max_concurrent_jobs=3, min_workers=3, queues=QUEUES) as host:
        yield host


async def test_a_queue_runs_no_more_jobs_at_once_than_it_may_while_others_use_the_other_workers(
    host: Host, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    narrow = [f"narrow {number}" for number in range(3)]
    for job_id in narrow:
        await host.submit(job_id, "hold", str(release), queue="narrow")
    await host.working(narrow[0])
    assert (await ends(host, [(await host.submit("other", "echo")).job.job_id]))[0].state is State.COMPLETED
    assert [(await host.status(job_id)).job.state for job_id in narrow] == ["working", "queued", "queued"]
    found = await report(host, "narrow")
    assert (found.pending, found.running, found.max_concurrent_jobs) == (2, 1, 1)
    release.touch()
    assert min(pauses(await ends(host, narrow))) >= 0


@pytest.mark.parametrize("blocked", ["paused", "full", "pausing"])
async def test_a_queue_that_may_not_go_on_blocks_no_other(host: Host, tmp_path: Path, blocked: str) -> None:
    queue = {"paused": "default", "full": "narrow", "pausing": "slow"}[blocked]
    if blocked == "paused":
        await host.engine.set_queue(queue, paused=True)
    elif blocked == "full":
        await host.submit("holder", "hold", str(tmp_path / "never"), queue=queue)
        await host.working("holder")
    else:
        await host.submit("first", "echo", queue=queue)
        await host.end("first")
    # More of higher priority than is read ahead.
    waiting = [await host.submit(f"waiting {number}", "echo", queue=queue, priority=9) for number in range(40)]
    for number in range(5):
        await host.submit(f"other {number}", "echo", queue="paced" if number == 0 else "brave")
    await ends(host, [f"other {number}" for number in range(5)])
    states = {(await host.status(answer.job.job_id)).job.state for answer in waiting}
    assert states == {State.QUEUED}


async def test_a_queue_waits_from_the_end_of_one_job_to_the_start_of_the_next(host: Host) -> None:
    jobs = [f"job {number}" for number in range(4)]
    for job_id in jobs:
        await host.submit(job_id, "echo", queue="paced", max_retries=0)
    # There are three workers, so some begin together; but none within the pause after one that had ended.
    ended = started_in_order(await ends(host, jobs))
    waits = [
        later.started_at - earlier.completed_at
        for earlier, later in permutations(ended, 2)
        if later.started_at is not None
        and earlier.completed_at is not None
        and later.started_at >= earlier.completed_at
    ]
    assert waits
    assert min(waits) >= PAUSE_SECONDS


async def test_a_queue_with_one_slot_and_a_pause_is_a_rate_limit() -> None:
    rule = QueueRule(max_concurrent_jobs=1, min_pause_seconds=PAUSE_SECONDS)
    async with hosting(max_concurrent_jobs=3, min_workers=3, queues={"llm": rule}) as host:
        jobs = [f"job {number}" for number in range(4)]
        for job_id in jobs:
            await host.submit(job_id, "echo", queue="llm")
        ended = await ends(host, jobs)
    assert [job.job_id for job in started_in_order(ended)] == jobs
    assert min(pauses(ended)) >= PAUSE_SECONDS


async def test_a_job_of_a_queue_that_pauses_never_lies_ready_behind_another() -> None:
    async with hosting(max_concurrent_jobs=1, min_workers=1, queues=QUEUES) as host:
        await ends(host, [(await host.submit(f"quick {number}", "echo")).job.job_id for number in range(50)])
        jobs = [f"job {number}" for number in range(3)]
        # Handed in together, so that all wait before the first has begun.
        await asyncio.gather(*(host.submit(job_id, "echo", queue="paced") for job_id in jobs))
        ended = await ends(host, jobs)
    assert min(pauses(ended)) >= PAUSE_SECONDS


async def test_the_pause_begins_when_a_job_lets_go_however_it_ends(host: Host, tmp_path: Path) -> None:
    await host.submit("stopped", "obey", str(tmp_path / "note"), queue="slow")
    await host.working("stopped")
    await host.stop("stopped")
    assert FOR_EVER_SECONDS - 60 < (await report(host, "slow")).opens_in_seconds <= FOR_EVER_SECONDS


async def test_a_pause_goes_on_after_a_restart(make_store: MakeStore) -> None:
    clock = system_clock()
    for number in range(2):
        async with hosting(make_store(clock), queues=QUEUES) as host:
            await host.submit(f"job {number}", "echo", queue="slow")
            if number == 0:
                await host.end("job 0")
            else:
                assert FOR_EVER_SECONDS - 60 < (await report(host, "slow")).opens_in_seconds < FOR_EVER_SECONDS
                await host.submit("other", "echo")
                await host.end("other")
                assert (await host.status("job 1")).job.state is State.QUEUED


async def test_a_queue_backs_off_from_its_second_failure_in_a_row_on(host: Host) -> None:
    await host.submit("first", "fail", "no luck", queue="careful")
    await host.end("first")
    found = await report(host, "careful")
    assert (found.consecutive_failures, found.opens_in_seconds) == (1, 0)
    await host.submit("second", "fail", "no luck", queue="careful")
    await host.end("second")
    found = await report(host, "careful")
    assert found.consecutive_failures == 2
    assert FOR_EVER_SECONDS - 60 < found.opens_in_seconds <= FOR_EVER_SECONDS
    assert (found.processed_total, found.failed_total) == (0, 2)


async def test_backoff_doubles_with_each_failure_and_ends_with_a_success() -> None:
    rule = QueueRule(max_concurrent_jobs=1, backoff_base_seconds=PAUSE_SECONDS, backoff_max_seconds=1.5 * PAUSE_SECONDS)
    async with hosting(queues={"brave": rule}) as host:
        tasks = ["fail", "fail", "fail", "fail", "echo", "fail"]
        for number, task in enumerate(tasks):
            await host.submit(str(number), task, "a word", queue="brave")
        waits = pauses(await ends(host, map(str, range(len(tasks)))))
        found = await report(host, "brave")
    assert waits[1] >= PAUSE_SECONDS
    assert waits[2] >= 1.5 * PAUSE_SECONDS
    assert waits[3] >= 1.5 * PAUSE_SECONDS
    assert (found.consecutive_failures, found.opens_in_seconds) == (1, 0)
    assert (found.processed_total, found.failed_total) == (1, 5)


async def test_a_paused_queue_lets_its_running_jobs_finish_and_starts_none_until_it_is_resumed(
    host: Host, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release))
    await host.working("running")
    paused = await host.engine.set_queue("default", paused=True)
    assert (paused.name, paused.paused, paused.running) == ("default", True, 1)
    await host.submit("waiting", "echo")
    release.touch()
    assert (await host.end("running")).job.state is State.COMPLETED
    await host.submit("other", "echo", queue="narrow")
    await host.end("other")
    assert (await host.status("waiting")).job.state is State.QUEUED
    resumed = await host.engine.set_queue("default", paused=False)
    assert (resumed.paused, resumed.name) == (False, "default")
    assert (await host.end("waiting")).job.state is State.COMPLETED


async def test_a_pause_that_was_set_holds_when_a_job_ends_meanwhile(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release), queue="slow")
    await host.working("running")
    await host.engine.set_queue("slow", paused=True)
    release.touch()
    await host.end("running")
    found = await host.engine.set_queue("slow", paused=False)
    assert not found.paused
    assert found.opens_in_seconds > FOR_EVER_SECONDS - 60


async def test_a_queue_is_still_paused_after_a_restart(make_store: MakeStore) -> None:
    clock = system_clock()
    async with hosting(make_store(clock), warm=False, queues=QUEUES) as host:
        await host.engine.set_queue("narrow", paused=True)
        await host.submit("waiting", "echo", queue="narrow")
    async with hosting(make_store(clock), queues=QUEUES) as host:
        await host.submit("other", "echo")
        await host.end("other")
        assert (await host.status("waiting")).job.state is State.QUEUED
        await host.engine.set_queue("narrow", paused=False)
        assert (await host.end("waiting")).job.state is State.COMPLETED


async def test_a_queue_that_is_not_there_is_named_with_those_that_are(host: Host) -> None:
    with pytest.raises(InvalidParameters) as refusal:
        await host.engine.set_queue("defautl", paused=True)
    assert refusal.value.data["field"] == "queue"
    assert refusal.value.data["expected"] == sorted(QUEUES)


async def test_higher_priority_goes_first_and_then_the_earlier_start_over_all_queues() -> None:
    async with hosting(warm=False, queues=QUEUES) as host:
        await host.add("added first", "echo")
        for job_id, queue, priority in (
            ("a", "default", 0),
            ("b", "narrow", 0),
            ("urgent", "narrow", 5),
            ("c", "default", 0),
            ("very urgent", "default", 7),
            ("last", "brave", -2),
        ):
            await host.submit(job_id, "echo", queue=queue, priority=priority)
        await host.start("added first")
        host.engine.warm_up(SETUP)
        await host.end("last")
        order = [job_id for job_id, _ in host.ended]
    assert order == ["very urgent", "urgent", "a", "b", "c", "added first", "last"]


async def test_a_job_that_comes_late_with_a_higher_priority_overtakes_those_that_were_read_ahead(
    host: Host, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release), queue="narrow")
    await host.working("running")
    for number in range(5):
        await host.submit(f"early {number}", "echo", queue="narrow")
    await host.submit("urgent", "echo", queue="narrow", priority=1)
    release.touch()
    await host.end("early 4")
    assert [job_id for job_id, _ in host.ended][:3] == ["running", "urgent", "early 0"]


async def test_the_jobs_of_a_queue_that_the_configuration_does_not_have_any_more_run(
    make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock = system_clock()
    async with hosting(make_store(clock), warm=False, queues={"default": QueueRule(), "old": QueueRule()}) as host:
        await host.engine.set_queue("old", paused=True)
        for number in range(40):
            await host.submit(f"job {number}", "echo", queue="old")
    async with hosting(make_store(clock), queues={"default": QueueRule()}) as host:
        assert "40 jobs wait in the queue 'old'" in caplog.text
        await host.submit("other", "echo")
        await host.end("other")
        assert (await report(host, "old")).pending == 40
        await host.engine.set_queue("old", paused=False)
        assert {job.state for job in await ends(host, [f"job {number}" for number in range(40)])} == {State.COMPLETED}
    async with hosting(make_store(clock), warm=False, queues={"default": QueueRule()}) as host:
        assert [queue.name for queue in (await host.engine.health()).queues] == ["default"]


async def test_a_queue_with_one_slot_that_must_claim_first_starts_each_job_once(host: Host, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    jobs = [f"job {number}" for number in range(20)]
    for job_id in jobs:
        await host.submit(job_id, "append", str(runs), queue="narrow", on_interrupt="fail")
    assert {(job.state, job.attempt) for job in await ends(host, jobs)} == {(State.COMPLETED, 1)}
    assert len(runs.read_text().splitlines()) == 20


async def test_many_jobs_in_many_queues_all_run_once(make_store: MakeStore) -> None:
    queues = {f"queue {number}": QueueRule(max_concurrent_jobs=1 + number % 3) for number in range(20)}
    async with hosting(make_store(system_clock()), max_concurrent_jobs=2, min_workers=2, queues=queues) as host:
        for number in range(1000):
            host.submit(str(number), "echo", number, queue=f"queue {number % 20}", priority=number % 3)
        await until(lambda: len(host.ended) == 1000)
        assert sorted(host.ended) == sorted((str(number), "completed") for number in range(1000))
        health = await host.engine.health()
    assert [(found.pending, found.running) for found in health.queues] == [(0, 0)] * 20
    assert sum(found.processed_total for found in health.queues) == 1000


async def test_a_stopped_job_of_a_full_queue_makes_way_for_the_next(host: Host, tmp_path: Path) -> None:
    await host.submit("first", "obey", str(tmp_path / "note"), queue="narrow")
    await host.submit("second", "echo", queue="narrow")
    await becomes(host, "first", "working")
    await host.stop("first")
    assert (await host.end("second")).job.state is State.COMPLETED
