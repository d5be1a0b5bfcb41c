"""What the end of an attempt makes of its job."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.retries import retry_delay_seconds, wants_retry
from mcp_queue_plugin.model.states import State

_replace = msgspec.structs.replace

INTERRUPTED = ErrorInfo(
    type="Interrupted",
    message="the job was interrupted while it ran, and its on_interrupt option says that it must not run again",
)

ENDED_WITH_SERVER = ErrorInfo(
    type="Interrupted",
    message="the server ran the command itself, and ended before it; whether to call it again is up to the caller",
)


def finish(job: Job, ending: Ending, *, jitter: float, now: float) -> Job:
    """The record of a running job whose attempt ended so.

    Whatever the attempt says, a job that was asked to stop is stopped; any other may be retried after an error.
    """
    if job.state is State.STOPPING:
        return _replace(job, state=State.STOPPED, completed_at=now, has_result=ending.result is not None)
    if wants_retry(job.options, job.retries, ending):
        return _retried(job, ending, jitter, now)
    return _ENDINGS[ending.kind](job, ending, now)


def _retried(job: Job, ending: Ending, jitter: float, now: float) -> Job:
    return _replace(
        job,
        state=State.SCHEDULED,
        retries=job.retries + 1,
        error=ending.error,
        queued_at=now,
        not_before=now + retry_delay_seconds(job.options, job.retries, jitter),
    )


def _completed(job: Job, ending: Ending, now: float) -> Job:
    return _replace(
        job,
        state=State.COMPLETED,
        completed_at=now,
        progress=100,
        error=ending.error,
        completed_with_error=ending.completed_with_error,
        has_result=ending.result is not None,
        questions=(),
    )


def _failed(job: Job, ending: Ending, now: float) -> Job:
    return _replace(
        job,
        state=State.FAILED,
        completed_at=now,
        error=ending.error,
        has_result=ending.result is not None,
        questions=(),
    )


def _interrupted(job: Job, ending: Ending, now: float) -> Job:
    error = ENDED_WITH_SERVER if job.runs_in_server else INTERRUPTED
    return _failed(job, _replace(ending, error=error), now)


def _ended_by_itself(job: Job, ending: Ending, now: float) -> Job:
    return _replace(
        job,
        state=State.STOPPED,
        completed_at=now,
        reason="the job stopped itself",
        has_result=ending.result is not None,
        questions=(),
    )


def _crashed(job: Job, ending: Ending, now: float) -> Job:
    crashes = job.crashes + 1
    counted = _replace(job, crashes=crashes)
    if job.options.on_interrupt == "fail":
        return _interrupted(counted, ending, now)
    if crashes >= job.options.max_crashes:
        return _failed(counted, ending, now)
    return _requeued(counted, now)


def _released(job: Job, ending: Ending, now: float) -> Job:
    if job.options.on_interrupt == "fail":
        return _interrupted(job, ending, now)
    return _requeued(job, now)


def _recalled(job: Job, _ending: Ending, now: float) -> Job:
    return _replace(_requeued(job, now), started_at=None)


def _requeued(job: Job, now: float) -> Job:
    """Back to its old place in the queue."""
    return _replace(job, state=State.QUEUED, queued_at=now)


_ENDINGS: dict[EndingKind, Callable[[Job, Ending, float], Job]] = {
    EndingKind.COMPLETED: _completed,
    EndingKind.FAILED: _failed,
    EndingKind.STOPPED: _ended_by_itself,
    EndingKind.CRASHED: _crashed,
    EndingKind.RELEASED: _released,
    EndingKind.RECALLED: _recalled,
}
