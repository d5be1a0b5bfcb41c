"""What every store promises: one suite, run over all of them. Counts, lists and logs have files of their own."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.job import ErrorInfo, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Applied,
    Changes,
    Claim,
    Delete,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Refusal,
    Refused,
    Report,
    Start,
    Stop,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import (
    NOTHING_WRITTEN,
    add,
    adopt,
    applied,
    claim,
    claim_of,
    finish,
    refused,
    run_new,
    unchanged,
)


async def test_an_added_job_waits_for_its_start(bench: Bench) -> None:
    job = await applied(bench.store, add("a", start=False))
    assert (job.uid, job.job_id, job.state, job.attempt) == (1, "a", State.CREATED, 0)
    assert job.created_at == bench.clock.now
    assert await bench.store.get("a") == job
    assert await claim(bench.store) == []


async def test_a_started_job_is_queued_once(store: JobStore) -> None:
    await applied(store, add("a", start=False))
    started = await applied(store, Start("a"))
    assert started.state is State.QUEUED
    assert started.order == started.version
    assert await unchanged(store, Start("a")) == started


async def test_add_and_start_are_one_step(store: JobStore) -> None:
    job = await applied(store, add("a"))
    assert job.state is State.QUEUED
    assert job.order == job.version


async def test_every_field_of_a_record_is_kept(bench: Bench) -> None:
    options = JobOptions(queue="llm", priority=-3, max_crashes=1, on_interrupt="fail", stop_grace_seconds=0.5)
    running = await run_new(bench.store, "täglich/1 ✓", options=options)
    bench.clock.now += 0.125
    error = ErrorInfo(type="ValueError", message="naïve", code=-32000, traceback_tail='File "x", line 1')
    ended = await applied(
        bench.store,
        Finish(
            token=running.token,
            ending=Ending(kind=EndingKind.COMPLETED, result=b'{"a":1}', error=error, completed_with_error=True),
            changes=Changes(description="made", step="S1"),
        ),
    )
    assert ended.options == options
    assert (ended.error, ended.completed_with_error, ended.has_result) == (error, True, True)
    assert (ended.description, ended.step, ended.progress) == ("made", "S1", 100)
    assert (ended.created_at, ended.started_at, ended.completed_at) == (1_000.0, 1_000.0, 1_000.125)
    assert await bench.store.get("täglich/1 ✓") == ended


async def test_a_living_id_is_taken(store: JobStore) -> None:
    first = await applied(store, add("a"))
    assert await refused(store, add("a")) == (Refusal.ALREADY_EXISTS, first)
    assert await refused(store, adopt("a")) == (Refusal.ALREADY_EXISTS, first)


async def test_a_finished_job_keeps_its_id(store: JobStore) -> None:
    job = await run_new(store, "a")
    ended = await applied(store, finish(job.token))
    assert await refused(store, add("a")) == (Refusal.ALREADY_EXISTS, ended)


async def test_a_deleted_jobs_id_is_free_again(store: JobStore) -> None:
    old = await applied(store, add("a"))
    tombstone = await applied(store, Delete("a"))
    assert await store.get("a") == tombstone
    new = await applied(store, add("a"))
    assert new.uid > old.uid
    assert await refused(store, Delete("a", uid=old.uid)) == (Refusal.NOT_FOUND, None)
    assert await store.get("a") == new
    last_tombstone = await applied(store, Delete("a", uid=new.uid))
    assert await store.get("a") == last_tombstone


async def test_unknown_jobs_are_refused(store: JobStore) -> None:
    assert await store.get("none") is None
    for operation in (Start("none"), Stop("none"), Delete("none")):
        assert await refused(store, operation) == (Refusal.NOT_FOUND, None)


async def test_an_adopted_job_runs_at_once(store: JobStore) -> None:
    job = await applied(store, adopt("a"))
    assert (job.state, job.attempt, job.description) == (State.WORKING, 1, "runs in the server")
    ended = await applied(store, finish(job.token, result=b"1"))
    assert ended.state is State.COMPLETED


async def test_claims_take_higher_priority_first_and_then_the_longer_wait(store: JobStore) -> None:
    await store.apply(
        [
            add("low", options=JobOptions(priority=-1)),
            add("late", start=False),
            add("first"),
            add("high", options=JobOptions(priority=7)),
            Start("late"),
        ]
    )
    assert [job.job_id for job in await claim(store, 3)] == ["high", "first", "late"]
    assert [job.job_id for job in await claim(store, 3)] == ["low"]
    assert await claim(store, 3) == []


async def test_a_queued_job_shows_its_parameters_as_they_came(store: JobStore) -> None:
    params = b'{"x": "\\u00e4",  "n": 1e400}'
    job = await applied(store, add("a", params=params))
    assert list(await store.queued("default", 5)) == [(job, params)]
    assert list(await store.queued("default", 5)) == [(job, params)], "a look changes nothing"
    assert list(await store.queued("default", 0)) == []


async def test_a_claim_begins_the_next_attempt(bench: Bench) -> None:
    queued = await applied(bench.store, add("a"))
    bench.clock.now += 5
    job = await applied(bench.store, claim_of(queued))
    assert (job.state, job.attempt, job.started_at) == (State.WORKING, 1, 1_005.0)
    assert await bench.store.get("a") == job
    assert list(await bench.store.queued("default", 5)) == []


async def test_a_job_is_claimed_once(store: JobStore) -> None:
    queued = await applied(store, add("a"))
    for attempt in (0, 2):
        assert await refused(store, Claim(Token(queued.uid, attempt))) == (Refusal.STALE_TOKEN, queued)
    working = await applied(store, claim_of(queued))
    assert await refused(store, claim_of(queued)) == (Refusal.STALE_TOKEN, working)
    assert await refused(store, claim_of(working)) == (Refusal.STALE_TOKEN, working)


@pytest.mark.parametrize("operation", [Stop("a"), Delete("a")], ids=str)
async def test_a_job_that_ended_in_the_queue_is_not_claimed(store: JobStore, operation: Stop | Delete) -> None:
    queued = await applied(store, add("a"))
    ended = await applied(store, operation)
    assert await refused(store, claim_of(queued)) == (Refusal.STALE_TOKEN, ended)


async def test_a_report_changes_what_it_names(store: JobStore) -> None:
    job = await run_new(store, "a")
    changed = await applied(store, Report(token=job.token, changes=Changes(progress=40, description="half")))
    assert (changed.progress, changed.description, changed.step) == (40, "half", "")
    assert changed.version > job.version
    again = await unchanged(store, Report(token=job.token, changes=Changes(progress=40)))
    assert again == changed


@pytest.mark.parametrize("kind", [EndingKind.COMPLETED, EndingKind.FAILED, EndingKind.STOPPED])
async def test_an_end_keeps_its_result(store: JobStore, kind: EndingKind) -> None:
    job = await run_new(store, "a")
    ended = await applied(store, finish(job.token, kind, result=b'{"success": true}'))
    assert ended.state.value == kind.value
    assert ended.has_result
    assert await store.result(job.uid) == b'{"success": true}'


async def test_an_end_without_result_has_none(store: JobStore) -> None:
    job = await run_new(store, "a")
    ended = await applied(store, finish(job.token))
    assert not ended.has_result
    assert await store.result(job.uid) is None


async def test_an_old_token_is_refused(store: JobStore) -> None:
    first = await run_new(store, "a")
    await applied(store, finish(first.token, EndingKind.CRASHED))
    (second,) = await claim(store)
    assert second.attempt == first.attempt + 1
    assert await refused(store, finish(first.token, result=b"old")) == (Refusal.STALE_TOKEN, second)
    report = Report(token=first.token, changes=Changes(progress=9))
    assert await refused(store, report) == (Refusal.STALE_TOKEN, second)
    ended = await applied(store, finish(second.token, result=b"new"))
    assert await refused(store, finish(second.token, result=b"twice")) == (Refusal.STALE_TOKEN, ended)
    assert await store.result(first.uid) == b"new"


async def test_a_token_of_no_job_is_refused(store: JobStore) -> None:
    unknown = Token(uid=77, attempt=1)
    for operation in (finish(unknown), Claim(unknown), Report(token=unknown, changes=Changes())):
        assert await refused(store, operation) == (Refusal.STALE_TOKEN, None)


async def test_a_job_that_crashes_too_often_fails(store: JobStore) -> None:
    await applied(store, add("a", options=JobOptions(max_crashes=2)))
    (first,) = await claim(store)
    requeued = await applied(store, finish(first.token, EndingKind.CRASHED, result=b"lost"))
    assert (requeued.state, requeued.crashes, requeued.has_result) == (State.QUEUED, 1, False)
    assert await store.result(first.uid) is None
    (second,) = await claim(store)
    failed = await applied(store, finish(second.token, EndingKind.CRASHED))
    assert (failed.state, failed.crashes) == (State.FAILED, 2)


@pytest.mark.parametrize("kind", [EndingKind.RELEASED, EndingKind.RECALLED])
async def test_a_job_that_is_given_back_keeps_its_place_uncounted(store: JobStore, kind: EndingKind) -> None:
    first = await run_new(store, "a")
    await applied(store, add("b"))
    released = await applied(store, finish(first.token, kind))
    assert (released.state, released.crashes) == (State.QUEUED, 0)
    assert [job.job_id for job in await claim(store)] == ["a", "b"]


@pytest.mark.parametrize("start", [False, True])
async def test_a_pending_job_stops_at_once(store: JobStore, start: bool) -> None:
    await applied(store, add("a", start=start))
    stopped = await applied(store, Stop("a", "enough"))
    assert (stopped.state, stopped.reason) == (State.STOPPED, "enough")
    assert await claim(store) == []
    assert await refused(store, Stop("a")) == (Refusal.STATE_INVALID, stopped)
    assert await refused(store, Start("a")) == (Refusal.STATE_INVALID, stopped)


@pytest.mark.parametrize("kind", list(EndingKind))
async def test_a_stop_of_a_running_job_is_never_forgotten(store: JobStore, kind: EndingKind) -> None:
    job = await run_new(store, "a")
    stopping = await applied(store, Stop("a"))
    assert stopping.state is State.STOPPING
    assert await unchanged(store, Stop("a", "again")) == stopping
    stopped = await applied(store, finish(job.token, kind, result=b'"late"'))
    assert (stopped.state, stopped.reason) == (State.STOPPED, "stopped by request")
    assert await store.result(job.uid) == b'"late"'


async def test_a_running_job_is_deleted_after_it_has_let_go(store: JobStore) -> None:
    job = await run_new(store, "a")
    stopping = await applied(store, Delete("a"))
    assert (stopping.state, stopping.delete_requested) == (State.STOPPING, True)
    assert await unchanged(store, Delete("a")) == stopping
    stopped = await applied(store, finish(job.token, result=b"1"))
    assert stopped.state is State.STOPPED
    deleted = await applied(store, Delete("a"))
    assert deleted.state is State.DELETED


async def test_a_delete_may_follow_a_stop(store: JobStore) -> None:
    await run_new(store, "a")
    await applied(store, Stop("a", "first"))
    both = await applied(store, Delete("a", "second"))
    assert (both.state, both.delete_requested, both.reason) == (State.STOPPING, True, "first")


async def test_a_tombstone_is_empty(store: JobStore) -> None:
    job = await run_new(store, "a")
    written = LogPiece("stdout", 1.0, b"much\n")
    await applied(store, finish(job.token, result=b'{"big": true}', log=(written,)))
    tombstone = await applied(store, Delete("a", "done with it"))
    assert (tombstone.state, tombstone.reason, tombstone.has_result) == (State.DELETED, "done with it", False)
    assert await store.result(job.uid) is None
    assert await store.log_page(job.uid, LogQuery()) == NOTHING_WRITTEN
    assert await unchanged(store, Delete("a")) == tombstone
    assert await refused(store, Start("a")) == (Refusal.NOT_FOUND, None)
    assert await refused(store, Stop("a")) == (Refusal.NOT_FOUND, None)


async def test_a_group_answers_each_operation_and_sees_those_before(store: JobStore) -> None:
    first = Token(uid=1, attempt=1)
    group: list[Operation] = [
        add("a", start=False),
        Claim(first),
        add("a"),
        Start("a"),
        Claim(first),
        Start("none"),
        finish(first),
    ]
    kinds = [type(found) for found in await store.apply(group)]
    assert kinds == [Applied, Refused, Refused, Applied, Applied, Refused, Applied]
    assert await store.apply([]) == []


async def test_versions_grow_by_one_with_every_change(store: JobStore) -> None:
    group: list[Operation] = [add("a"), add("a"), add("b"), Start("b"), Claim(Token(1, 1)), Stop("a"), Stop("b")]
    outcomes = await store.apply(group)
    versions = [found.job.version for found in outcomes if isinstance(found, Applied)]
    assert versions == [1, 2, 2, 3, 4, 5], "an unchanged record keeps its version"
