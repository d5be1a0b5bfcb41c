"""What holds of every record, whatever has been done to its job."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES, FINISHED_STATES, PENDING_STATES, RUNNING_STATES, State


def assert_coherent(job: Job) -> None:
    """Its fields fit its state."""
    state = job.state
    assert (job.not_before is not None) == (state is State.SCHEDULED)
    assert (job.completed_at is not None) == (state in ENDED_STATES)
    assert (job.deleted_at is not None) == (state is State.DELETED)
    assert job.queued_at is not None or state is not State.QUEUED
    assert job.attempt > 0 or state in PENDING_STATES | {State.STOPPED, State.DELETED}
    assert job.started_at is not None or state not in RUNNING_STATES
    assert not job.has_result or state in FINISHED_STATES
    assert not job.completed_with_error or state in (State.COMPLETED, State.DELETED)
    assert not job.delete_requested or state in (State.STOPPING, State.STOPPED, State.DELETED)
    assert job.progress == 100 or state is not State.COMPLETED
    assert 0 <= job.progress <= 100
    open_keys = [question.key for question in job.questions]
    assert len(set(open_keys)) == len(open_keys)
    asked_now = any(question.attempt == job.attempt for question in job.questions)
    assert asked_now or state is not State.INPUT_REQUIRED
    assert not asked_now or state in (State.INPUT_REQUIRED, State.QUEUED, State.SCHEDULED)
    assert not job.questions or state not in ENDED_STATES | {State.CREATED, State.STOPPING}
    assert all(question.attempt <= job.attempt for question in job.questions)
    assert job.retries <= job.options.max_retries
    assert job.crashes <= job.options.max_crashes
