"""What a store settles when it is opened: what its dead owner left running, and delays that began in the future."""

from __future__ import annotations

import itertools

import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.endings import INTERRUPTED
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Ending, EndingKind, Finish
from mcp_queue_plugin.model.options import JobOptions, OnInterrupt
from mcp_queue_plugin.model.states import RUNNING_STATES, State
from tests.contract.coherence import assert_coherent
from tests.contract.samples import add
from tests.unit.model.jobs import at, job_in

NOW = 50_000.0
HOUR = 3600.0
INTERRUPTS: tuple[OnInterrupt, ...] = ("retry", "fail")


@pytest.mark.parametrize(
    ("state", "delete_requested", "on_interrupt", "max_crashes", "max_retries"),
    list(itertools.product(State, [False, True], INTERRUPTS, [1, 2], [0, 1])),
)
def test_a_recovery_leaves_nothing_between_two_steps(
    state: State, delete_requested: bool, on_interrupt: OnInterrupt, max_crashes: int, max_retries: int
) -> None:
    options = JobOptions(on_interrupt=on_interrupt, max_crashes=max_crashes, max_retries=max_retries)
    job = job_in(state, options, delete_requested=delete_requested, queued_at=1.0, completed_at=2.0)
    if decide.needs_recovery(job, now=NOW):
        recovered = decide.recover(job, now=NOW)
        assert recovered != job
        assert not decide.needs_recovery(recovered, now=NOW)
        assert recovered.state is not State.SCHEDULED, "the death of the server uses up no retry"
    else:
        assert job.state not in RUNNING_STATES


@pytest.mark.parametrize(
    ("on_interrupt", "crashes", "expected"),
    [("retry", 0, State.QUEUED), ("retry", 1, State.FAILED), ("fail", 0, State.FAILED)],
)
def test_what_a_dead_owner_left_running_runs_again_or_fails(
    on_interrupt: OnInterrupt, crashes: int, expected: State
) -> None:
    options = JobOptions(on_interrupt=on_interrupt, max_crashes=2)
    recovered = decide.recover(job_in(State.WORKING, options, crashes=crashes), now=NOW)
    assert_coherent(recovered)
    assert (recovered.state, recovered.crashes) == (expected, crashes + 1)
    if expected is State.FAILED:
        assert recovered.error is not None
        assert recovered.error.type == ("Interrupted" if on_interrupt == "fail" else "WorkerCrashed")


def test_a_stopping_jobs_delete_is_finished_by_the_recovery() -> None:
    job = job_in(State.STOPPING, reason="no longer wanted", delete_requested=True)
    recovered = decide.recover(job, now=NOW)
    assert_coherent(recovered)
    assert (recovered.state, recovered.reason) == (State.DELETED, "no longer wanted")


def scheduled(options: JobOptions) -> Job:
    """A job that was started now."""
    job = decide.add(add("a", options=options), uid=1, at=at(NOW))
    assert job.state is State.SCHEDULED
    return job


def retrying(options: JobOptions) -> Job:
    """A job that waits for its next attempt."""
    working = job_in(State.WORKING, options, started_at=NOW)
    job = decide.by_token(Finish(token=working.token, ending=Ending(kind=EndingKind.FAILED)), working, now=NOW)
    assert isinstance(job, Job)
    assert job.state is State.SCHEDULED
    return job


@pytest.mark.parametrize(
    "job",
    [
        scheduled(JobOptions(delay_seconds=90.0)),
        retrying(JobOptions(max_retries=1, retry_base_seconds=90.0)),
        retrying(JobOptions(max_retries=1, retry_base_seconds=90.0, run_at=NOW - 5.0)),
        retrying(JobOptions(max_retries=1, retry_base_seconds=90.0, run_at=NOW + 90.0)),
    ],
    ids=["a delay", "a retry", "a retry of a job with a time", "a retry that is due at that time by chance"],
)
def test_a_delay_is_no_longer_than_it_was_meant_to_be_when_the_clock_was_set_back(job: Job) -> None:
    then = NOW - HOUR
    assert decide.needs_recovery(job, now=then)
    recovered = decide.recover(job, now=then)
    assert_coherent(recovered)
    assert (recovered.state, recovered.not_before, recovered.queued_at) == (State.SCHEDULED, then + 90.0, then)
    assert not decide.needs_recovery(recovered, now=then)


def test_a_time_holds_whatever_the_clock_does() -> None:
    job = scheduled(JobOptions(run_at=NOW + 90.0))
    for now in (NOW - HOUR, NOW, NOW + HOUR):
        assert not decide.needs_recovery(job, now=now)


@pytest.mark.parametrize("elapsed", [0.0, 30.0, 89.0, HOUR])
def test_a_delay_that_began_in_the_past_goes_on(elapsed: float) -> None:
    assert not decide.needs_recovery(scheduled(JobOptions(delay_seconds=90.0)), now=NOW + elapsed)


def test_the_error_of_one_that_must_not_run_again_says_so() -> None:
    recovered = decide.recover(job_in(State.INPUT_REQUIRED, JobOptions(on_interrupt="fail")), now=NOW)
    assert (recovered.state, recovered.error, recovered.completed_at) == (State.FAILED, INTERRUPTED, NOW)
