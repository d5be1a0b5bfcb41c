"""What the end of an attempt tells of its queue: its row of failures, its durations and its totals."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.job import IN_PROCESS_COMMAND, Job, Question, Token
from mcp_queue_plugin.model.operations import Ending, EndingKind, Finish
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queue_history import after_attempt, after_interruption
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import RUNNING_STATES, State
from tests.unit.model.jobs import job_in

NOW = 150.0
STATE = QueueState(
    name="llm",
    paused=True,
    consecutive_failures=3,
    ended_at=90.0,
    average_seconds=20.0,
    processed_total=5,
    failed_total=7,
)
RETURNED_ERROR = Ending(kind=EndingKind.COMPLETED, completed_with_error=True)


def running(options: JobOptions | None = None, state: State = State.WORKING, **fields: object) -> Job:
    return job_in(state, options, **{"started_at": 140.0, **fields})


def noted(ending: Ending | EndingKind, before: Job | None = None, state: QueueState = STATE) -> QueueState:
    """The state of the queue after an attempt has ended so, as the model decides it."""
    job = before or running()
    end = ending if isinstance(ending, Ending) else Ending(kind=ending)
    after = decide.by_token(Finish(token=job.token, ending=end), job, now=NOW)
    assert isinstance(after, Job)
    return after_attempt(state, job, after, end, NOW)


def totals(state: QueueState) -> tuple[int, int]:
    return state.processed_total - STATE.processed_total, state.failed_total - STATE.failed_total


def test_the_average_begins_at_a_minute_and_leans_towards_the_newest() -> None:
    state = QueueState(name="llm")
    assert state.average_seconds == 60.0
    for expected in (50.0, 42.0, 35.6):
        state = noted(EndingKind.COMPLETED, state=state)
        assert state.average_seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    "asked", [{"has_answers": True}, {"questions": (Question(key="k", prompt="?", attempt=1),)}], ids=str
)
def test_what_has_waited_for_answers_tells_no_duration(asked: dict[str, Any]) -> None:
    assert noted(EndingKind.COMPLETED, running(**asked)).average_seconds == STATE.average_seconds


@pytest.mark.parametrize("ending", [EndingKind.COMPLETED, EndingKind.FAILED, RETURNED_ERROR], ids=str)
def test_what_ran_to_its_end_counts_for_the_average(ending: Ending | EndingKind) -> None:
    assert noted(ending).average_seconds == pytest.approx(0.8 * 20 + 0.2 * 10)


@pytest.mark.parametrize(
    "kind", [EndingKind.CRASHED, EndingKind.STOPPED, EndingKind.RELEASED, EndingKind.RECALLED], ids=str
)
def test_what_was_cut_short_does_not(kind: EndingKind) -> None:
    assert noted(kind).average_seconds == 20.0


def test_a_clock_that_was_set_back_makes_no_duration_negative() -> None:
    assert noted(EndingKind.COMPLETED, running(started_at=NOW + 3600)).average_seconds == 16.0


def test_a_success_ends_a_row_of_failures() -> None:
    assert noted(EndingKind.COMPLETED).consecutive_failures == 0


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("ending", [EndingKind.FAILED, EndingKind.CRASHED, RETURNED_ERROR], ids=str)
def test_every_failed_attempt_makes_it_longer_retried_or_not(ending: Ending | EndingKind, retries: int) -> None:
    assert noted(ending, running(JobOptions(max_retries=retries))).consecutive_failures == 4


@pytest.mark.parametrize("kind", [EndingKind.STOPPED, EndingKind.RELEASED], ids=str)
def test_what_tells_nothing_of_its_health_leaves_it_alone(kind: EndingKind) -> None:
    assert noted(kind).consecutive_failures == 3


@pytest.mark.parametrize("kind", EndingKind)
def test_whatever_a_job_does_that_was_asked_to_stop_is_no_failure(kind: EndingKind) -> None:
    state = noted(kind, running(state=State.STOPPING))
    assert (state.consecutive_failures, state.average_seconds, totals(state)) == (3, 20.0, (0, 0))


@pytest.mark.parametrize("before", sorted(RUNNING_STATES))
@pytest.mark.parametrize("kind", EndingKind)
def test_the_pause_begins_with_every_end_of_what_has_begun(kind: EndingKind, before: State) -> None:
    expected = 90.0 if kind is EndingKind.RECALLED else NOW
    assert noted(kind, running(state=before)).ended_at == expected


def test_an_attempt_that_never_began_leaves_no_trace() -> None:
    assert noted(EndingKind.RECALLED) is STATE


@pytest.mark.parametrize("kind", EndingKind)
def test_what_ran_in_the_server_leaves_no_trace(kind: EndingKind) -> None:
    assert noted(kind, running(job_type=IN_PROCESS_COMMAND)) == STATE


@pytest.mark.parametrize(
    ("ending", "options", "expected"),
    [
        (EndingKind.COMPLETED, JobOptions(), (1, 0)),
        (RETURNED_ERROR, JobOptions(), (0, 1)),
        (RETURNED_ERROR, JobOptions(max_retries=1), (0, 0)),
        (EndingKind.FAILED, JobOptions(), (0, 1)),
        (EndingKind.FAILED, JobOptions(max_retries=1), (0, 0)),
        (EndingKind.CRASHED, JobOptions(), (0, 0)),
        (EndingKind.CRASHED, JobOptions(max_crashes=1), (0, 1)),
        (EndingKind.CRASHED, JobOptions(on_interrupt="fail"), (0, 1)),
        (EndingKind.RELEASED, JobOptions(), (0, 0)),
        (EndingKind.RELEASED, JobOptions(on_interrupt="fail"), (0, 1)),
        (EndingKind.RECALLED, JobOptions(on_interrupt="fail"), (0, 0)),
        (EndingKind.STOPPED, JobOptions(), (0, 0)),
    ],
    ids=str,
)
def test_the_totals_count_jobs_by_how_they_ended(
    ending: Ending | EndingKind, options: JobOptions, expected: tuple[int, int]
) -> None:
    assert totals(noted(ending, running(options))) == expected


def test_the_death_of_the_server_is_an_end_but_no_failure_of_the_queue() -> None:
    job = running()
    state = after_interruption(STATE, job, decide.recover(job, now=NOW), NOW)
    assert (state.ended_at, state.consecutive_failures, state.average_seconds) == (NOW, 3, 20.0)
    assert totals(state) == (0, 0)


def test_a_job_that_fails_by_the_death_of_the_server_has_failed() -> None:
    job = running(JobOptions(on_interrupt="fail"))
    assert totals(after_interruption(STATE, job, decide.recover(job, now=NOW), NOW)) == (0, 1)


def test_a_pause_of_the_queue_stays_as_it_is() -> None:
    assert {noted(kind).paused for kind in EndingKind} == {True}


def test_an_end_that_stands_for_the_claim_too_tells_how_long_it_took() -> None:
    job = job_in(State.QUEUED)
    end = Finish(token=Token(job.uid, job.attempt + 1), ending=Ending(kind=EndingKind.COMPLETED), begun_at=NOW - 10.0)
    after = decide.by_token(end, job, now=NOW)
    assert isinstance(after, Job)
    assert after_attempt(STATE, job, after, end.ending, NOW) == noted(EndingKind.COMPLETED, running(started_at=140.0))
