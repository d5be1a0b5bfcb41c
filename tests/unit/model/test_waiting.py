"""Delays and times: when a job that was started begins to wait for a slot, and what may happen before."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job, Token
from mcp_queue_plugin.model.operations import Claim, Delete, Refusal, Refused, Start, Stop
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.places import AGING_SECONDS
from mcp_queue_plugin.model.states import PENDING_STATES, State
from tests.contract.coherence import assert_coherent
from tests.contract.samples import add
from tests.unit.model.jobs import at, job_in

NOW = 50.0
LATER = [JobOptions(delay_seconds=7.5), JobOptions(run_at=57.5)]
AT_ONCE = [JobOptions(), JobOptions(delay_seconds=0.0), JobOptions(run_at=NOW), JobOptions(run_at=3.0)]


def added(options: JobOptions, *, start: bool = True) -> Job:
    job = decide.add(add("a", start=start, options=options), uid=1, at=at(NOW, 4))
    assert_coherent(job)
    return job


def started(options: JobOptions) -> Job:
    """The same job, added first and started then."""
    job = decide.by_id(Start("a"), added(options, start=False), at=at(NOW, 4))
    assert isinstance(job, Job)
    return job


@pytest.mark.parametrize("options", LATER, ids=str)
def test_a_job_that_is_to_run_later_is_scheduled_by_its_start(options: JobOptions) -> None:
    for job in (added(options), started(options)):
        assert (job.state, job.not_before, job.queued_at) == (State.SCHEDULED, 57.5, NOW)
        assert job.status.value == "pending"


@pytest.mark.parametrize("options", AT_ONCE, ids=str)
def test_one_whose_time_has_come_is_queued_at_once(options: JobOptions) -> None:
    for job in (added(options), started(options)):
        assert (job.state, job.not_before, job.queued_at, job.order) == (State.QUEUED, None, NOW, 4)


@pytest.mark.parametrize("options", [*LATER, *AT_ONCE], ids=str)
def test_before_its_start_a_job_waits_for_nothing(options: JobOptions) -> None:
    job = added(options, start=False)
    assert (job.state, job.not_before, job.queued_at) == (State.CREATED, None, None)


def test_a_second_start_changes_nothing() -> None:
    job = added(JobOptions(delay_seconds=7.5))
    assert decide.by_id(Start("a"), job, at=at(52.0)) is job


def test_a_scheduled_job_is_not_claimed() -> None:
    job = added(JobOptions(delay_seconds=7.5))
    assert decide.by_token(Claim(Token(1, 1)), job, now=60.0) == Refused(Refusal.STALE_TOKEN, job)


def test_its_wait_for_a_slot_begins_when_it_is_due() -> None:
    job = added(JobOptions(delay_seconds=7.5, priority=1))
    due = decide.due(job, at=Moment(58.0, 70.0, 12))
    assert_coherent(due)
    assert (due.state, due.queued_at, due.order) == (State.QUEUED, 58.0, 12)
    assert due.rank == 70.0 - AGING_SECONDS


@pytest.mark.parametrize("state", sorted(PENDING_STATES))
def test_a_pending_job_stops_at_once(state: State) -> None:
    job = job_in(state, not_before=90.0 if state is State.SCHEDULED else None, queued_at=40.0, attempt=0)
    stopped = decide.by_id(Stop("a", "enough"), job, at=at(NOW))
    assert isinstance(stopped, Job)
    assert_coherent(stopped)
    assert (stopped.state, stopped.reason, stopped.completed_at) == (State.STOPPED, "enough", NOW)


@pytest.mark.parametrize("state", sorted(PENDING_STATES))
def test_a_pending_job_is_deleted_at_once(state: State) -> None:
    job = job_in(state, not_before=90.0 if state is State.SCHEDULED else None, queued_at=40.0, attempt=0)
    deleted = decide.by_id(Delete("a", "gone"), job, at=at(NOW))
    assert isinstance(deleted, Job)
    assert_coherent(deleted)
    assert (deleted.state, deleted.reason, deleted.completed_at, deleted.deleted_at) == (
        State.DELETED,
        "gone",
        NOW,
        NOW,
    )
