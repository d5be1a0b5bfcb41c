"""Every operation in every state: the table of transitions says what may follow."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH, ErrorInfo, Job, Token
from mcp_queue_plugin.model.operations import (
    ById,
    ByToken,
    Changes,
    Claim,
    Delete,
    Ending,
    EndingKind,
    Finish,
    Refusal,
    Refused,
    Report,
    Start,
    Stop,
)
from mcp_queue_plugin.model.options import JobOptions, OnInterrupt
from mcp_queue_plugin.model.states import ENDED_STATES, RUNNING_STATES, State
from mcp_queue_plugin.model.transitions import TRANSITIONS, Event
from tests.contract.samples import add, adopt
from tests.unit.model.jobs import at, job_in

NOW = 50.0
TOKEN = Token(uid=1, attempt=1)
INTERRUPTS: tuple[OnInterrupt, ...] = ("retry", "fail")
OPTIONS = [
    JobOptions(on_interrupt=on_interrupt, max_crashes=max_crashes, max_retries=max_retries)
    for on_interrupt, max_crashes, max_retries in itertools.product(INTERRUPTS, (1, 2), (0, 1))
]
EVENTS = {
    EndingKind.COMPLETED: Event.COMPLETE,
    EndingKind.FAILED: Event.FAIL,
    EndingKind.STOPPED: Event.END_STOPPED,
    EndingKind.CRASHED: Event.REQUEUE,
    EndingKind.RELEASED: Event.REQUEUE,
    EndingKind.RECALLED: Event.REQUEUE,
}


def _event(before: Job, ending: Ending, found: Job | Refused) -> Event:
    """What happened. An error that a command returned and that is tried again has failed, as one that was raised."""
    if before.state is State.STOPPING:
        return Event.END_STOPPED
    is_retried = isinstance(found, Job) and found.state is State.SCHEDULED
    return Event.FAIL if is_retried and ending.completed_with_error else EVENTS[ending.kind]


def finish(kind: EndingKind, **ending: object) -> Finish:
    return Finish(token=TOKEN, ending=msgspec.structs.replace(Ending(kind=kind), **ending))


def _decide(operation: ById | ByToken, job: Job) -> Job | Refused:
    if isinstance(operation, Claim | Report | Finish):
        return decide.by_token(operation, job, now=NOW)
    return decide.by_id(operation, job, at=at(NOW))


def decided(operation: ById | ByToken, job: Job) -> Job:
    found = _decide(operation, job)
    assert isinstance(found, Job)
    return found


def _check(job: Job, event: Event, found: Job | Refused) -> None:
    allowed = TRANSITIONS.get((job.state, event))
    if isinstance(found, Refused):
        assert allowed is None
    elif found != job:
        assert allowed is not None
        assert found.state in allowed


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("operation", "event"),
    [(Start("a"), Event.START), (Stop("a"), Event.STOP), (Delete("a"), Event.DELETE)],
    ids=str,
)
def test_an_operation_by_id_follows_the_table(state: State, operation: ById, event: Event) -> None:
    job = job_in(state)
    _check(job, event, _decide(operation, job))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", EndingKind)
def test_an_ending_follows_the_table(state: State, kind: EndingKind) -> None:
    for options, with_error in itertools.product(OPTIONS, (False, True)):
        job, operation = job_in(state, options), finish(kind, completed_with_error=with_error)
        found = _decide(operation, job)
        _check(job, _event(job, operation.ending, found), found)
        assert isinstance(found, Refused) == (state not in RUNNING_STATES)


def test_every_following_state_of_the_table_is_reached_by_an_ending() -> None:
    """But for what asks and answers, which no operation does yet."""
    reached: dict[tuple[State, Event], set[State]] = {}
    for state, kind, options, with_error in itertools.product(RUNNING_STATES, EndingKind, OPTIONS, (False, True)):
        job, operation = job_in(state, options), finish(kind, completed_with_error=with_error)
        found = decided(operation, job)
        reached.setdefault((state, _event(job, operation.ending, found)), set()).add(found.state)
    by_ending = {*EVENTS.values()}
    assert reached == {key: states for key, states in TRANSITIONS.items() if key[1] in by_ending}


@pytest.mark.parametrize("state", State)
def test_a_retry_follows_the_table(state: State) -> None:
    job = job_in(state, completed_at=40.0)
    assert decide.may_retry(job) is ((state, Event.RETRY) in TRANSITIONS)
    if decide.may_retry(job):
        _check(job, Event.RETRY, decide.retry(job, at=at(NOW)))


def test_a_job_that_is_due_follows_the_table() -> None:
    job = job_in(State.SCHEDULED, not_before=40.0, queued_at=30.0)
    found = decide.due(job, at=at(NOW))
    _check(job, Event.DUE, found)
    assert (found.not_before, found.queued_at, found.order) == (None, NOW, 9)


@pytest.mark.parametrize("state", State)
def test_a_report_never_moves_a_job(state: State) -> None:
    job = job_in(state)
    found = _decide(Report(token=TOKEN, changes=Changes(progress=5)), job)
    if state in RUNNING_STATES:
        assert isinstance(found, Job)
        assert (found.state, found.progress) == (state, 5)
    else:
        assert found == Refused(Refusal.STALE_TOKEN, job)


@pytest.mark.parametrize("state", State)
def test_a_claim_follows_the_table(state: State) -> None:
    job = job_in(state, progress=30)
    found = _decide(Claim(Token(uid=1, attempt=2)), job)
    _check(job, Event.CLAIM, found)
    if isinstance(found, Job):
        assert (found.attempt, found.progress, found.started_at) == (2, 0, NOW)
    else:
        assert found == Refused(Refusal.STALE_TOKEN, job)


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_a_claim_of_another_attempt_than_the_next_is_stale(attempt: int) -> None:
    job = job_in(State.QUEUED)
    assert _decide(Claim(Token(uid=1, attempt=attempt)), job) == Refused(Refusal.STALE_TOKEN, job)


def test_a_new_job_is_created_queued_or_already_running() -> None:
    created = decide.add(add("a", start=False), uid=4, at=at(NOW, 7))
    queued = decide.add(add("a"), uid=4, at=at(NOW, 7))
    running = decide.add(adopt("a"), uid=4, at=at(NOW, 7))
    assert [job.state for job in (created, queued, running)] == [State.CREATED, State.QUEUED, State.WORKING]
    assert (queued.uid, queued.version, queued.order, queued.created_at) == (4, 7, 7, NOW)
    assert (running.token, running.started_at, running.description) == (Token(4, 1), NOW, "runs in the server")


def test_a_start_gives_the_place_in_the_queue_once() -> None:
    created = job_in(State.CREATED)
    queued = decided(Start("a"), created)
    assert queued.order == 9
    assert decided(Start("a"), queued) is queued


@pytest.mark.parametrize("operation", [Start("a"), Stop("a"), Delete("a")], ids=str)
def test_no_job_is_not_found(operation: ById) -> None:
    assert decide.by_id(operation, None, at=at(NOW)) == Refused(Refusal.NOT_FOUND)


@pytest.mark.parametrize("operation", [Start("a"), Stop("a")], ids=str)
def test_a_tombstone_is_not_found(operation: ById) -> None:
    assert _decide(operation, job_in(State.DELETED)) == Refused(Refusal.NOT_FOUND)


@pytest.mark.parametrize("state", sorted(ENDED_STATES - {State.DELETED}))
def test_a_delete_empties_what_has_ended(state: State) -> None:
    job = job_in(
        state,
        completed_at=40.0,
        description="x",
        step="y",
        has_result=True,
        error=ErrorInfo(type="E", message="m"),
    )
    tombstone = decided(Delete("a", "old"), job)
    assert (tombstone.state, tombstone.reason, tombstone.completed_at) == (State.DELETED, "old", 40.0)
    assert (tombstone.description, tombstone.step, tombstone.has_result, tombstone.error) == ("", "", False, None)
    assert decided(Delete("a", "again"), tombstone) is tombstone


def test_a_report_is_held_to_its_bounds() -> None:
    job = job_in(State.WORKING)
    long = "x" * (DESCRIPTION_MAX_LENGTH + 1)
    found = decided(Report(token=TOKEN, changes=Changes(progress=101, description=long, step=long)), job)
    assert (found.progress, len(found.description), len(found.step)) == (
        100,
        DESCRIPTION_MAX_LENGTH,
        DESCRIPTION_MAX_LENGTH,
    )
    assert decided(Report(token=TOKEN, changes=Changes(progress=-1)), found).progress == 0
    assert decided(Report(token=TOKEN, changes=Changes()), found) is found


@pytest.mark.parametrize("token", [Token(uid=1, attempt=0), Token(uid=1, attempt=2)])
def test_another_attempts_token_is_stale(token: Token) -> None:
    job = job_in(State.WORKING)
    operation = Finish(token=token, ending=Ending(kind=EndingKind.COMPLETED))
    assert _decide(operation, job) == Refused(Refusal.STALE_TOKEN, job)
    assert decide.by_token(operation, None, now=NOW) == Refused(Refusal.STALE_TOKEN)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", EndingKind)
def test_an_end_that_stands_for_the_claim_too_leaves_what_both_would(kind: EndingKind, options: JobOptions) -> None:
    job = job_in(State.QUEUED, options, attempt=0)
    end = msgspec.structs.replace(finish(kind, result=b"1"), changes=Changes(progress=40, step="last"))
    both = decided(end, decided(Claim(TOKEN, begun_at=41.0), job))
    assert decided(msgspec.structs.replace(end, begun_at=41.0), job) == both


@pytest.mark.parametrize("state", State)
def test_such_an_end_is_refused_like_the_claim(state: State) -> None:
    job = job_in(state, attempt=1 if state is State.QUEUED else 0)
    end = msgspec.structs.replace(finish(EndingKind.COMPLETED), begun_at=41.0)
    assert _decide(end, job) == _decide(Claim(TOKEN, begun_at=41.0), job) == Refused(Refusal.STALE_TOKEN, job)


def test_a_job_has_ended_when_its_attempt_did_not_when_that_is_stored() -> None:
    job = job_in(State.WORKING)
    ended = decided(msgspec.structs.replace(finish(EndingKind.COMPLETED), ended_at=NOW - 5.0), job)
    assert ended.completed_at == NOW - 5.0


def test_an_end_that_is_stored_late_counts_as_late_too_so_that_its_result_can_be_read() -> None:
    job = job_in(State.WORKING)
    night = msgspec.structs.replace(finish(EndingKind.COMPLETED), ended_at=NOW - 12 * 3600.0)
    assert decided(night, job).completed_at == NOW - decide.STORED_LATE_SECONDS
