"""What every store promises of named queues: their order, their states, their figures, and places in them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import (
    Applied,
    Delete,
    Ending,
    EndingKind,
    Finish,
    Operation,
    SetQueue,
    Stop,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.queues import QueueFigures, QueueState
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import add, adopt, applied, claim, done, finish, outcome, run_new

HOUR = 3600.0
LLM = JobOptions(queue="llm")
BULK = JobOptions(queue="bulk")


async def state_of(store: JobStore, queue: str) -> QueueState:
    return (await store.queues())[queue].state


async def places(store: JobStore, *job_ids: str) -> dict[str, int]:
    """The positions of jobs, asked for together."""
    jobs = [job for job_id in job_ids if (job := await store.get(job_id)) is not None]
    found = await store.positions(jobs)
    assert found.keys() == {job.uid for job in jobs}
    return {job.job_id: found[job.uid] for job in jobs}


async def test_each_queue_has_its_own_head(store: JobStore) -> None:
    await store.apply(
        [add("a"), add("b", options=LLM), add("c", options=BULK), add("d"), add("e", options=LLM), add("f")]
    )
    assert [job.job_id for job, _ in await store.queued("default", 2)] == ["a", "d"]
    assert [job.job_id for job, _ in await store.queued("llm", 9)] == ["b", "e"]
    assert [job.job_id for job, _ in await store.queued("bulk", 9)] == ["c"]
    assert list(await store.queued("none", 9)) == []


async def test_a_queue_in_which_nothing_has_happened_is_not_shown(store: JobStore) -> None:
    assert await store.queues() == {}
    assert await done(store, SetQueue("llm", paused=False)) == await done(store, SetQueue("llm", paused=False))
    assert await store.queues() == {}


async def test_the_figures_of_a_queue_follow_its_jobs(store: JobStore) -> None:
    later = JobOptions(queue="llm", delay_seconds=5)
    await store.apply(
        [
            add("created", start=False, options=LLM),
            add("scheduled", options=later),
            add("queued", options=LLM),
            add("other"),
        ]
    )

    async def counted() -> tuple[int, int]:
        figures = (await store.queues())["llm"]
        return figures.pending, figures.running

    assert await counted() == (3, 0)
    (job,) = await claim(store, queue="llm")
    assert await counted() == (2, 1)
    await applied(store, Stop("queued"))
    assert await counted() == (2, 1), "one that was asked to stop still has its slot"
    await applied(store, finish(job.token))
    assert await counted() == (2, 0)
    await store.apply([Stop("created"), Delete("scheduled")])
    assert await counted() == (0, 0)
    assert (await store.queues())["default"] == QueueFigures(state=QueueState(name="default"), pending=1)


async def test_a_queue_is_gone_with_its_last_job_if_nothing_has_happened_in_it(store: JobStore) -> None:
    await applied(store, add("a", options=LLM))
    await applied(store, Delete("a"))
    assert await store.queues() == {}


async def test_an_adopted_job_counts_as_running(store: JobStore) -> None:
    await applied(store, adopt("a"))
    assert (await store.queues())["default"] == QueueFigures(state=QueueState(name="default"), running=1)


async def test_a_pause_is_kept_and_changes_no_job(bench: Bench) -> None:
    store = bench.store
    running = await run_new(store, "running", options=LLM)
    waiting = await applied(store, add("waiting", options=LLM))
    paused = await done(store, SetQueue("llm", paused=True))
    assert paused.queue == QueueState(name="llm", paused=True)
    assert paused.changed == ()
    assert (await store.queues())["llm"] == QueueFigures(state=paused.queue, pending=1, running=1)
    assert await store.get("running") == running
    assert await store.get("waiting") == waiting
    assert await state_of(store, "llm") == paused.queue

    await bench.restart()
    assert (await state_of(bench.store, "llm")).paused
    resumed = await done(bench.store, SetQueue("llm", paused=False))
    assert resumed.queue is not None
    assert not resumed.queue.paused
    await bench.restart()
    assert await state_of(bench.store, "llm") == resumed.queue


async def test_the_end_of_an_attempt_is_told_to_its_queue(bench: Bench) -> None:
    store = bench.store
    await applied(store, add("other"))
    job = await run_new(store, "a", options=LLM)
    bench.clock.now += 10
    found = await outcome(store, finish(job.token))
    assert isinstance(found, Applied)
    assert found.queue == QueueState(
        name="llm", ended_at=1_010.0, average_seconds=0.8 * 60.0 + 0.2 * 10.0, processed_total=1
    )
    assert await state_of(store, "llm") == found.queue
    assert await state_of(store, "default") == QueueState(name="default")


async def test_failures_in_a_row_are_counted_over_jobs_groups_and_restarts(bench: Bench) -> None:
    for job_id in "abc":
        job = await run_new(bench.store, job_id, options=LLM)
        await applied(bench.store, finish(job.token, EndingKind.FAILED))
    await bench.restart()
    assert (await state_of(bench.store, "llm")).consecutive_failures == 3
    group: list[Operation] = []
    for job_id in "de":
        job = await run_new(bench.store, job_id, options=LLM)
        group.append(finish(job.token, EndingKind.FAILED))
    outcomes = await bench.store.apply(group)
    told = [found.queue.consecutive_failures for found in outcomes if isinstance(found, Applied) and found.queue]
    assert told == [4, 5]
    job = await run_new(bench.store, "f", options=LLM)
    await applied(bench.store, finish(job.token))
    state = await state_of(bench.store, "llm")
    assert (state.consecutive_failures, state.processed_total, state.failed_total) == (0, 1, 5)
    await bench.restart()
    assert await state_of(bench.store, "llm") == state


async def test_a_retried_attempt_is_a_failure_but_not_a_failed_job(store: JobStore) -> None:
    job = await run_new(store, "a", options=JobOptions(queue="llm", max_retries=1))
    ending = Ending(kind=EndingKind.COMPLETED, completed_with_error=True)
    await applied(store, Finish(token=job.token, ending=ending))
    state = await state_of(store, "llm")
    assert (state.consecutive_failures, state.processed_total, state.failed_total) == (1, 0, 0)


async def test_a_refused_end_is_told_to_nobody(store: JobStore) -> None:
    job = await run_new(store, "a", options=LLM)
    await applied(store, finish(job.token))
    before = await store.queues()
    await outcome(store, finish(job.token, EndingKind.FAILED))
    assert await store.queues() == before


async def test_a_recovery_is_an_end_for_the_pause_but_no_failure(bench: Bench) -> None:
    await run_new(bench.store, "a", options=LLM)
    await run_new(bench.store, "once", options=JobOptions(queue="bulk", on_interrupt="fail"))
    await applied(bench.store, add("never ran", options=JobOptions(queue="idle")))
    bench.clock.now += 25
    await bench.restart()
    assert await bench.store.queues() == {
        "llm": QueueFigures(state=QueueState(name="llm", ended_at=1_025.0), pending=1),
        "bulk": QueueFigures(state=QueueState(name="bulk", ended_at=1_025.0, failed_total=1)),
        "idle": QueueFigures(state=QueueState(name="idle"), pending=1),
    }


async def test_a_pause_that_began_in_the_future_begins_at_the_restart(bench: Bench) -> None:
    bench.clock.now += HOUR
    job = await run_new(bench.store, "a", options=LLM)
    await applied(bench.store, finish(job.token))
    state = await state_of(bench.store, "llm")
    assert state.ended_at == 1_000.0 + HOUR
    bench.clock.now -= HOUR
    assert await bench.restart() == []
    assert (await state_of(bench.store, "llm")).ended_at == 1_000.0
    bench.clock.now += 5
    await bench.restart()
    assert (await state_of(bench.store, "llm")).ended_at == 1_000.0


async def test_positions_count_from_one_in_the_order_of_the_queue(store: JobStore) -> None:
    await store.apply(
        [
            add("low", options=JobOptions(priority=-1)),
            add("first"),
            add("second"),
            add("high", options=JobOptions(priority=1)),
        ]
    )
    expected = {"high": 1, "first": 2, "second": 3, "low": 4}
    assert await places(store, *expected) == expected
    for job_id, position in expected.items():
        assert await places(store, job_id) == {job_id: position}
    await claim(store, 2)
    assert await places(store, "second", "low") == {"second": 1, "low": 2}
    assert await places(store) == {}


async def test_positions_in_a_long_queue_are_those_in_a_short_one(store: JobStore) -> None:
    await store.apply([add(f"job {number}") for number in range(600)])
    await store.apply([add("created", start=False), add("later", options=JobOptions(delay_seconds=9.0))])
    expected = {"job 0": 1, "job 1": 2, "job 300": 301, "job 343": 344, "job 345": 346, "job 599": 600, "created": 601}
    assert await places(store, *expected, "later") == {**expected, "later": 601}
    for job_id, position in expected.items():
        assert await places(store, job_id) == {job_id: position}
    await claim(store, 100)
    assert await places(store, "job 300", "job 599") == {"job 300": 201, "job 599": 500}


async def test_one_page_may_hold_jobs_of_several_queues(store: JobStore) -> None:
    await store.apply(
        [
            add("a"),
            add("b", options=LLM),
            add("c", options=BULK),
            add("d", options=LLM),
            add("e"),
            add("f", options=LLM),
        ]
    )
    page = await store.list_jobs(JobQuery(limit=4))
    found: Mapping[int, int] = await store.positions(page.jobs)
    assert {job.job_id: found[job.uid] for job in page.jobs} == {"f": 3, "e": 2, "d": 2, "c": 1}


async def test_who_is_not_queued_stands_where_it_would_if_it_were_queued_now(bench: Bench) -> None:
    store = bench.store

    def of(priority: int, delay_seconds: float = 0.0) -> JobOptions:
        return JobOptions(priority=priority, delay_seconds=delay_seconds)

    await store.apply([add("low", options=of(-1)), add("first"), add("high", options=of(1))])
    bench.clock.now += 1
    await store.apply(
        [
            add("created", start=False),
            add("created high", start=False, options=of(1)),
            add("scheduled", options=of(0, 500)),
            add("scheduled low", options=of(-1, 500)),
            add("queued in llm", options=LLM),
        ]
    )
    assert await places(store, "created", "created high", "scheduled", "scheduled low", "first", "queued in llm") == {
        "created high": 2,
        "first": 2,
        "created": 3,
        "scheduled": 3,
        "scheduled low": 4,
        "queued in llm": 1,
    }
    bench.clock.now += 601
    assert (await places(store, "created high"))["created high"] == 3, "first has gained a level meanwhile"


@pytest.mark.parametrize("state", ["created", "scheduled", "queued"])
async def test_in_an_empty_queue_everybody_is_first(store: JobStore, state: str) -> None:
    delay = JobOptions(delay_seconds=5 if state == "scheduled" else 0)
    job: Job = await applied(store, add("a", start=state != "created", options=delay))
    assert job.state.value == state
    assert await places(store, "a") == {"a": 1}
