"""What the end of an attempt makes of its job, and what a retry that a client asks for makes of an ended one."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.endings import ENDED_WITH_SERVER, INTERRUPTED
from mcp_queue_plugin.model.job import IN_PROCESS_COMMAND, ErrorInfo, Job, Token
from mcp_queue_plugin.model.operations import Changes, Claim, Delete, Ending, EndingKind, Finish, Refusal, Refused, Stop
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import RUNNING_STATES, State
from tests.contract.coherence import assert_coherent
from tests.unit.model.jobs import at, job_in

NOW = 50.0
ERROR = ErrorInfo(type="ValueError", message="no")
FAILED = Ending(kind=EndingKind.FAILED, error=ERROR, result=b"{}", error_kinds=("ValueError",))
RETURNED_ERROR = Ending(
    kind=EndingKind.COMPLETED,
    error=ERROR,
    result=b"{}",
    completed_with_error=True,
    error_kinds=("ErrorResult",),
)
RETRYING = JobOptions(max_retries=2, retry_base_seconds=4.0)


def running(options: JobOptions | None = None, state: State = State.WORKING, **fields: object) -> Job:
    return job_in(state, options, **{"queued_at": 30.0, "started_at": 40.0, **fields})


def ended(job: Job, ending: Ending, *, jitter: float = 1.0, description: str | None = None) -> Job:
    operation = Finish(token=job.token, ending=ending, jitter=jitter, changes=Changes(description=description))
    found = decide.by_token(operation, job, now=NOW)
    assert isinstance(found, Job)
    assert_coherent(found)
    return found


def claimed(job: Job) -> Job:
    found = decide.by_token(Claim(Token(job.uid, job.attempt + 1)), job, now=NOW)
    assert isinstance(found, Job)
    return found


@pytest.mark.parametrize(
    ("state", "kind", "with_error", "retries"),
    list(itertools.product(sorted(RUNNING_STATES), EndingKind, [False, True], [0, 1])),
)
def test_every_end_leaves_a_coherent_record(state: State, kind: EndingKind, with_error: bool, retries: int) -> None:
    for on_interrupt, result in itertools.product(("retry", "fail"), (None, b"1")):
        options = msgspec.convert({"on_interrupt": on_interrupt, "max_retries": retries}, JobOptions)
        ended(running(options, state), Ending(kind=kind, completed_with_error=with_error, result=result))


def test_a_completion_is_at_a_hundred_percent() -> None:
    found = ended(running(), RETURNED_ERROR)
    assert (found.state, found.progress, found.has_result, found.completed_with_error, found.error) == (
        State.COMPLETED,
        100,
        True,
        True,
        ERROR,
    )


def test_a_job_may_stop_itself() -> None:
    found = ended(running(), Ending(kind=EndingKind.STOPPED))
    assert (found.state, found.reason, found.completed_at) == (State.STOPPED, "the job stopped itself", NOW)


@pytest.mark.parametrize("ending", [FAILED, RETURNED_ERROR], ids=["raised", "returned"])
def test_an_error_is_followed_by_a_wait_and_another_attempt(ending: Ending) -> None:
    found = ended(running(RETRYING), ending, jitter=0.5, description="half")
    assert (found.state, found.not_before, found.queued_at) == (State.SCHEDULED, NOW + 2.0, NOW)
    assert (found.retries, found.error, found.description) == (1, ERROR, "half")
    assert not found.has_result, "only the last attempt's result counts"
    assert not found.completed_with_error


@pytest.mark.parametrize(
    ("ending", "state"), [(FAILED, State.FAILED), (RETURNED_ERROR, State.COMPLETED)], ids=["raised", "returned"]
)
def test_when_the_retries_are_used_up_the_last_error_is_the_end(ending: Ending, state: State) -> None:
    job, waits = running(RETRYING), []
    for attempt in (2, 3):
        scheduled = ended(job, ending)
        assert scheduled.not_before is not None
        waits.append(scheduled.not_before - NOW)
        job = claimed(decide.due(scheduled, at=at(NOW)))
        assert (job.attempt, job.error) == (attempt, None)
    assert waits == [4.0, 8.0]
    last = ended(job, ending)
    assert (last.state, last.retries, last.has_result, last.error) == (state, 2, True, ERROR)


def test_an_error_that_is_not_worth_it_is_not_retried() -> None:
    options = msgspec.structs.replace(RETRYING, retry_on=("ErrorResult",))
    assert ended(running(options), FAILED).state is State.FAILED
    assert ended(running(options), RETURNED_ERROR).state is State.SCHEDULED


def test_a_retry_without_a_wait_is_due_at_once() -> None:
    assert ended(running(RETRYING), FAILED, jitter=0.0).not_before == NOW


@pytest.mark.parametrize("ending", [FAILED, RETURNED_ERROR], ids=["raised", "returned"])
def test_a_job_that_was_asked_to_stop_is_not_retried(ending: Ending) -> None:
    found = ended(running(RETRYING, State.STOPPING, reason="enough"), ending)
    assert (found.state, found.reason, found.retries, found.has_result) == (State.STOPPED, "enough", 0, True)


@pytest.mark.parametrize("kind", [EndingKind.CRASHED, EndingKind.RELEASED, EndingKind.RECALLED])
def test_what_was_interrupted_goes_back_to_its_place_and_uses_up_no_retry(kind: EndingKind) -> None:
    job = running(RETRYING, rank=3.0, order=2)
    found = ended(job, Ending(kind=kind, result=b"lost"))
    assert (found.state, found.place, found.queued_at, found.not_before) == (State.QUEUED, (3.0, 2), NOW, None)
    assert (found.retries, found.has_result) == (0, False)
    assert found.crashes == (1 if kind is EndingKind.CRASHED else 0)


def test_what_never_began_has_not_started() -> None:
    assert ended(running(), Ending(kind=EndingKind.RECALLED)).started_at is None


def test_a_job_whose_process_died_too_often_fails_retries_left_or_not() -> None:
    found = ended(running(JobOptions(max_crashes=3, max_retries=9), crashes=2), Ending(kind=EndingKind.CRASHED))
    assert (found.state, found.crashes, found.retries) == (State.FAILED, 3, 0)


@pytest.mark.parametrize("kind", [EndingKind.CRASHED, EndingKind.RELEASED])
def test_an_interrupted_job_that_must_not_run_again_fails(kind: EndingKind) -> None:
    found = ended(running(JobOptions(on_interrupt="fail", max_retries=9)), Ending(kind=kind, error=ERROR))
    assert (found.state, found.error) == (State.FAILED, INTERRUPTED)


def test_a_command_that_the_server_ran_itself_ends_with_it() -> None:
    job = msgspec.structs.replace(running(JobOptions(on_interrupt="fail")), job_type=IN_PROCESS_COMMAND)
    found = ended(job, Ending(kind=EndingKind.RELEASED))
    assert (found.state, found.error) == (State.FAILED, ENDED_WITH_SERVER)


def test_one_that_never_began_may_run_whatever_it_says() -> None:
    found = ended(running(JobOptions(on_interrupt="fail")), Ending(kind=EndingKind.RECALLED))
    assert found.state is State.QUEUED


@pytest.mark.parametrize("state", sorted(RUNNING_STATES))
@pytest.mark.parametrize("kind", EndingKind)
def test_a_stop_comes_before_every_end(state: State, kind: EndingKind) -> None:
    stopping = decide.by_id(Stop("a", "enough"), running(RETRYING, state, reason=None), at=at(NOW))
    assert isinstance(stopping, Job)
    found = ended(msgspec.structs.replace(stopping, reason="enough"), Ending(kind=kind, completed_with_error=True))
    assert (found.state, found.reason) == (State.STOPPED, "enough")


@pytest.mark.parametrize("state", sorted(RUNNING_STATES))
@pytest.mark.parametrize("kind", EndingKind)
def test_a_delete_comes_before_every_end(state: State, kind: EndingKind) -> None:
    deleting = decide.by_id(Delete("a", "gone"), running(RETRYING, state), at=at(NOW))
    assert isinstance(deleting, Job)
    stopped = ended(deleting, Ending(kind=kind, completed_with_error=True))
    assert (stopped.state, stopped.delete_requested) == (State.STOPPED, True)
    deleted = decide.by_id(Delete("a", stopped.reason or ""), stopped, at=at(NOW))
    assert isinstance(deleted, Job)
    assert_coherent(deleted)
    assert (deleted.state, deleted.reason) == (State.DELETED, "gone")


def test_an_evicted_job_that_is_then_deleted_keeps_the_reason() -> None:
    evicted = decide.stop(running(), reason="evicted", now=NOW)
    assert isinstance(evicted, Job)
    both = decide.by_id(Delete("a", "gone"), evicted, at=at(NOW))
    assert isinstance(both, Job)
    assert (both.state, both.reason, both.delete_requested) == (State.STOPPING, "evicted", True)


@pytest.mark.parametrize("state", [State.FAILED, State.STOPPED])
def test_a_retry_makes_an_ended_job_as_good_as_new(state: State) -> None:
    options = JobOptions(max_retries=2, delay_seconds=500.0, run_at=None)
    job = job_in(
        state,
        options,
        attempt=4,
        crashes=2,
        retries=2,
        progress=60,
        reason="enough",
        error=ERROR,
        completed_at=45.0,
        has_result=True,
        rank=1.0,
        order=2,
    )
    found = decide.retry(job, at=Moment(NOW, 70.0, 12))
    assert_coherent(found)
    assert (found.state, found.queued_at, found.place) == (State.QUEUED, NOW, (70.0, 12)), "it waits no delay again"
    assert (found.crashes, found.retries, found.progress, found.reason, found.error) == (0, 0, 0, None, None)
    assert found.attempt == 4, "so the token of an earlier attempt stays void"


def test_a_late_end_of_an_attempt_before_the_retry_is_refused() -> None:
    stopped = ended(running(state=State.STOPPING), Ending(kind=EndingKind.STOPPED))
    retried = decide.retry(stopped, at=at(NOW))
    late = Finish(token=stopped.token, ending=FAILED)
    for job in (retried, claimed(retried)):
        assert decide.by_token(late, job, now=NOW) == Refused(Refusal.STALE_TOKEN, job)


@pytest.mark.parametrize("state", [State.FAILED, State.STOPPED])
@pytest.mark.parametrize("fields", [{"delete_requested": True}, {"job_type": IN_PROCESS_COMMAND}], ids=str)
def test_what_is_to_be_deleted_or_has_no_code_for_a_worker_is_not_retried(
    state: State, fields: dict[str, object]
) -> None:
    assert decide.may_retry(job_in(state))
    assert not decide.may_retry(job_in(state, None, **fields))
