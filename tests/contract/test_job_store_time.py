"""What every store promises of time: delays, times, retries, and clocks that jump."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.operations import (
    Applied,
    Changes,
    Delete,
    Done,
    Due,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Refusal,
    Report,
    Retry,
    Start,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import add, applied, claim, claim_of, done, finish, outcome, refused, run_new, unchanged

HOUR = 3600.0
NO = ErrorInfo(type="ValueError", message="no")


async def due(store: JobStore, limit: int = 100) -> list[str]:
    """The ids of the jobs that are due, in the order in which they are queued."""
    found = await done(store, Due(limit))
    for change in found.changed:
        assert (change.before, change.job.state) == (State.SCHEDULED, State.QUEUED)
        assert await store.get(change.job.job_id) == change.job
    return [change.job.job_id for change in found.changed]


async def failed(store: JobStore, job: Job, *, jitter: float = 1.0) -> Job:
    ending = Ending(kind=EndingKind.FAILED, error=NO, result=b"{}")
    return await applied(store, Finish(token=job.token, ending=ending, jitter=jitter))


async def test_a_delayed_job_is_queued_when_its_time_has_come_and_not_before(bench: Bench) -> None:
    store = bench.store
    job = await applied(store, add("a", options=JobOptions(delay_seconds=30)))
    assert (job.state, job.not_before) == (State.SCHEDULED, 1_030.0)
    assert await store.next_due() == 1_030.0
    bench.clock.now = 1_029.999
    assert await due(store) == []
    assert await claim(store) == []
    bench.clock.now = 1_030.0
    assert await due(store) == ["a"]
    assert await store.next_due() is None
    assert await due(store) == []
    (claimed,) = await claim(store)
    assert (claimed.queued_at, claimed.not_before) == (1_030.0, None)


async def test_a_delay_begins_with_the_start_and_a_time_holds_as_it_is(bench: Bench) -> None:
    store = bench.store
    await applied(store, add("delay", start=False, options=JobOptions(delay_seconds=30)))
    await applied(store, add("time", start=False, options=JobOptions(run_at=1_030.0)))
    await applied(store, add("past", start=False, options=JobOptions(run_at=1_005.0)))
    assert await store.next_due() is None, "nothing is due that was not started"
    bench.clock.now += 10
    started = [await applied(store, Start(job_id)) for job_id in ("delay", "time", "past")]
    assert [(job.state, job.not_before) for job in started] == [
        (State.SCHEDULED, 1_040.0),
        (State.SCHEDULED, 1_030.0),
        (State.QUEUED, None),
    ]
    assert await unchanged(store, Start("delay")) == started[0]


async def test_jobs_become_due_in_the_order_of_their_times_as_many_as_are_asked_for(bench: Bench) -> None:
    store = bench.store
    for job_id, seconds in (("c", 9.0), ("a", 3.0), ("b", 5.0), ("later", 60.0), ("b too", 5.0)):
        await applied(store, add(job_id, options=JobOptions(delay_seconds=seconds)))
    bench.clock.now += 10
    first = await done(store, Due(2))
    assert [change.job.job_id for change in first.changed] == ["a", "b"]
    assert first.more
    assert await store.next_due() == 1_005.0
    rest = await done(store, Due(2))
    assert [change.job.job_id for change in rest.changed] == ["b too", "c"]
    assert not rest.more
    assert await store.next_due() == 1_060.0
    assert [job.job_id for job in await claim(store)] == ["a", "b", "b too", "c"]


async def test_asked_for_none_it_says_whether_there_are_any(bench: Bench) -> None:
    await applied(bench.store, add("a", options=JobOptions(delay_seconds=0.5)))
    assert await done(bench.store, Due(0)) == Done()
    bench.clock.now += 1
    assert await done(bench.store, Due(0)) == Done(more=True)
    assert await claim(bench.store) == []


async def test_a_scheduled_job_is_neither_claimed_nor_due_once_it_has_ended(bench: Bench) -> None:
    store, options = bench.store, JobOptions(delay_seconds=30)
    for job_id, operation in (("a", Stop("a")), ("b", Delete("b"))):
        job = await applied(store, add(job_id, options=options))
        assert await refused(store, claim_of(job)) == (Refusal.STALE_TOKEN, job)
        ended = await applied(store, operation)
        assert ended.not_before is None
    bench.clock.now += 60
    assert await store.next_due() is None
    assert await due(store) == []


async def test_a_failed_attempt_is_tried_again_after_its_wait(bench: Bench) -> None:
    store = bench.store
    options = JobOptions(max_retries=2, retry_base_seconds=8.0)
    waits = []
    job = await run_new(store, "a", options=options)
    for retries, jitter in ((1, 0.5), (2, 1.0)):
        waiting = await failed(store, job, jitter=jitter)
        assert (waiting.state, waiting.retries, waiting.error) == (State.SCHEDULED, retries, NO)
        assert await store.result(job.uid) is None
        assert waiting.not_before is not None
        waits.append(waiting.not_before - bench.clock.now)
        bench.clock.now = waiting.not_before
        assert await due(store) == ["a"]
        (job,) = await claim(store)
        assert (job.attempt, job.error) == (retries + 1, None)
    assert waits == [4.0, 16.0]
    ended = await failed(store, job)
    assert (ended.state, ended.retries, ended.has_result) == (State.FAILED, 2, True)
    assert await store.result(job.uid) == b"{}"


async def test_a_returned_error_is_tried_again_and_is_the_result_in_the_end(store: JobStore) -> None:
    ending = Ending(kind=EndingKind.COMPLETED, result=b'{"success": false}', completed_with_error=True)
    job = await run_new(store, "a", options=JobOptions(max_retries=1))
    waiting = await applied(store, Finish(token=job.token, ending=ending, jitter=0.0))
    assert (waiting.state, waiting.completed_with_error, waiting.has_result) == (State.SCHEDULED, False, False)
    assert await due(store) == ["a"]
    (job,) = await claim(store)
    ended = await applied(store, Finish(token=job.token, ending=ending))
    assert (ended.state, ended.completed_with_error) == (State.COMPLETED, True)
    assert await store.result(job.uid) == b'{"success": false}'


@pytest.mark.parametrize("kind", [EndingKind.FAILED, EndingKind.STOPPED])
async def test_a_client_may_run_an_ended_job_again(bench: Bench, kind: EndingKind) -> None:
    store = bench.store
    job = await run_new(store, "a", options=JobOptions(delay_seconds=0.0, max_crashes=2))
    await applied(store, finish(job.token, EndingKind.CRASHED))
    (job,) = await claim(store)
    ended = await applied(store, finish(job.token, kind, result=b'"first"'))
    await applied(store, add("b"))
    bench.clock.now += 5

    retry = await outcome(store, Retry(job_id="a"))
    assert isinstance(retry, Applied)
    assert (retry.before, retry.evicted) == (ended.state, ())
    retried = retry.job
    assert (retried.state, retried.crashes, retried.has_result) == (State.QUEUED, 0, False)
    assert (retried.completed_at, retried.reason, retried.queued_at) == (None, None, 1_005.0)
    assert await store.get("a") == retried
    assert await store.result(job.uid) is None
    assert await refused(store, finish(job.token)) == (Refusal.STALE_TOKEN, retried)
    assert [job.job_id for job in await claim(store)] == ["b", "a"]


async def test_only_what_failed_or_was_stopped_is_run_again(store: JobStore) -> None:
    completed = await applied(store, finish((await run_new(store, "completed")).token))
    assert await refused(store, Retry(job_id="completed")) == (Refusal.STATE_INVALID, completed)
    working = await run_new(store, "working")
    assert await refused(store, Retry(job_id="working")) == (Refusal.STATE_INVALID, working)
    deleting = await applied(store, Delete("working"))
    assert await refused(store, Retry(job_id="working")) == (Refusal.STATE_INVALID, deleting)
    let_go = await applied(store, finish(working.token))
    assert await refused(store, Retry(job_id="working")) == (Refusal.STATE_INVALID, let_go)
    await applied(store, Delete("working"))
    assert await refused(store, Retry(job_id="working")) == (Refusal.NOT_FOUND, None)
    assert await refused(store, Retry(job_id="none")) == (Refusal.NOT_FOUND, None)
    for job_id, options in (("queued", JobOptions()), ("scheduled", JobOptions(delay_seconds=5))):
        pending = await applied(store, add(job_id, options=options))
        assert await refused(store, Retry(job_id=job_id)) == (Refusal.STATE_INVALID, pending)


async def test_a_restart_keeps_what_is_scheduled(bench: Bench) -> None:
    job = await applied(bench.store, add("a", options=JobOptions(delay_seconds=30)))
    bench.clock.now += 10
    assert await bench.restart() == []
    assert await bench.store.get("a") == job
    assert await bench.store.next_due() == 1_030.0
    bench.clock.now += HOUR
    assert await bench.restart() == []
    assert await due(bench.store) == ["a"]


async def test_a_clock_that_was_set_back_makes_no_delay_longer(bench: Bench) -> None:
    bench.clock.now += HOUR
    store = bench.store
    running = await run_new(store, "retry", options=JobOptions(max_retries=1, retry_base_seconds=20.0))
    await failed(store, running)
    await applied(store, add("delay", options=JobOptions(delay_seconds=30)))
    at_a_time = await applied(store, add("time", options=JobOptions(run_at=bench.clock.now + 30)))

    bench.clock.now -= HOUR
    recovered = await bench.restart()
    assert [(job.job_id, job.state, job.not_before, job.queued_at) for job in recovered] == [
        ("retry", State.SCHEDULED, 1_020.0, 1_000.0),
        ("delay", State.SCHEDULED, 1_030.0, 1_000.0),
    ]
    for job in recovered:
        assert await bench.store.get(job.job_id) == job
    assert await bench.store.get("time") == at_a_time
    assert await bench.store.next_due() == 1_020.0
    assert await bench.restart() == []


async def test_a_clock_that_was_set_back_makes_no_delay_longer_once_it_is_noticed(bench: Bench) -> None:
    store = bench.store
    await applied(store, add("begun long before", options=JobOptions(delay_seconds=HOUR)))
    bench.clock.now += HOUR
    await applied(store, add("delay", options=JobOptions(delay_seconds=30)))
    at_a_time = await applied(store, add("time", options=JobOptions(run_at=bench.clock.now + 30)))
    bench.clock.now -= HOUR - 1
    assert await done(store, Due(9)) == Done(), "nobody has noticed"

    found = await done(store, Due(9, clock_was_set_back=True))
    (change,) = found.changed
    delay = change.job
    assert (delay.job_id, delay.state, delay.queued_at, delay.not_before) == (
        "delay",
        State.SCHEDULED,
        1_001.0,
        1_031.0,
    )
    assert await store.get("delay") == delay
    assert await store.get("time") == at_a_time
    assert await store.next_due() == 1_031.0
    assert await done(store, Due(9, clock_was_set_back=True)) == Done()


async def test_a_clock_that_was_set_forward_makes_delays_due(bench: Bench) -> None:
    await applied(bench.store, add("a", options=JobOptions(delay_seconds=30)))
    bench.clock.now += HOUR
    assert await bench.restart() == []
    assert await due(bench.store) == ["a"]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_clock_that_was_set_back_lets_nobody_overtake(bench: Bench, restart: bool) -> None:
    bench.clock.now += HOUR
    await applied(bench.store, add("first"))
    bench.clock.now -= HOUR
    if restart:
        await bench.restart()
    await applied(bench.store, add("second"))
    bench.clock.now += 5
    await applied(bench.store, add("third"))
    assert [job.job_id for job in await claim(bench.store)] == ["first", "second", "third"]


@pytest.mark.parametrize("change", ["add", "report", "sweep"])
async def test_every_change_takes_note_of_the_time(bench: Bench, change: str) -> None:
    """So that whoever comes after it stands behind it, whatever the clock says then."""
    store = bench.store
    running = await run_new(store, "running")
    await store.apply([add("over"), Stop("over")])
    bench.clock.now += HOUR
    operations: dict[str, Operation] = {
        "add": add("new"),
        "report": Report(token=running.token, changes=Changes(progress=1)),
        "sweep": Sweep(tombstones=False, age_seconds=0.0, limit=1),
    }
    await store.apply([operations[change]])
    bench.clock.now -= HOUR
    assert (await applied(store, add("after"))).rank == 1_000.0 + HOUR


async def test_looking_and_being_refused_move_no_clock(bench: Bench) -> None:
    """Only a change takes note of the time; else a look in an hour that never came would hold the order still."""
    store = bench.store
    low = await applied(store, add("low"))
    bench.clock.now += HOUR
    await store.positions([low])
    await refused(store, add("low"))
    nothing: list[Operation] = []
    await store.apply(nothing)
    await bench.restart()
    bench.clock.now -= HOUR
    high = await applied(bench.store, add("high", options=JobOptions(priority=1)))
    assert high.rank == 1_000.0 - 600.0


async def test_a_job_that_has_waited_ten_minutes_longer_goes_before_one_of_the_next_priority(bench: Bench) -> None:
    store, high = bench.store, JobOptions(priority=1)
    await applied(store, add("low"))
    bench.clock.now += 599
    await applied(store, add("high before"))
    await applied(store, add("high", options=high))
    bench.clock.now += 1
    await applied(store, add("high after", options=high))
    assert [job.job_id for job in await claim(store)] == ["high", "low", "high after", "high before"]
