"""What each operation does to a job: pure functions from a record to the next one, or to a refusal.

Stores that read and write a record in one step execute these; a store that decides elsewhere (in Lua) is proven equal
to them. The record's ``version`` is the store's to give, so the functions leave it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import msgspec

from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH, ErrorInfo, Job, Submission
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
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
from mcp_queue_plugin.model.states import ENDED_STATES, PENDING_STATES, RUNNING_STATES, State

_replace = msgspec.structs.replace

INTERRUPTED = ErrorInfo(
    type="Interrupted",
    message="the job was interrupted while it ran, and its on_interrupt option says that it must not run again",
)


def add(operation: Add | Adopt, *, uid: int, version: int, now: float) -> Job:
    """The record of a new job. With ``start`` its place in the queue is ``version``."""
    job = _new(operation.submission, uid=uid, version=version, now=now)
    match operation:
        case Adopt():
            return _replace(_claim(job, now=now), description=operation.description)
        case Add(start=True):
            return _replace(job, state=State.QUEUED)
        case Add():
            return job


def by_id(operation: ById, job: Job | None, *, version: int, now: float) -> Job | Refused:
    """What an operation on a job's public id does; the same record means that it already was so."""
    if job is None or (job.state is State.DELETED and not isinstance(operation, Delete)):
        return Refused(Refusal.NOT_FOUND)
    match operation:
        case Start():
            return _start(job, order=version)
        case Stop(reason=reason):
            return _stop(job, reason=reason, now=now)
        case Delete(reason=reason):
            return _delete(job, reason=reason, now=now)
        case _:
            assert_never(operation)


def by_token(operation: ByToken, job: Job | None, *, now: float) -> Job | Refused:
    """What an attempt's own write does; a write under an old token is refused."""
    if job is None:
        return Refused(Refusal.STALE_TOKEN)
    if isinstance(operation, Claim):
        is_next = job.state is State.QUEUED and operation.token.attempt == job.attempt + 1
        return _claim(job, now=now) if is_next else Refused(Refusal.STALE_TOKEN, job)
    if job.attempt != operation.token.attempt or job.state not in RUNNING_STATES:
        return Refused(Refusal.STALE_TOKEN, job)
    match operation:
        case Report(changes=changes):
            return _report(job, changes)
        case Finish(ending=ending, changes=changes):
            return _finish(_report(job, changes), ending, now=now)
        case _:
            assert_never(operation)


def _claim(job: Job, *, now: float) -> Job:
    return _replace(
        job,
        state=State.WORKING,
        attempt=job.attempt + 1,
        progress=0,
        description="",
        step="",
        started_at=now,
    )


def needs_recovery(job: Job) -> bool:
    """Whether the death of the store's owner left this job between two steps."""
    return job.state in RUNNING_STATES or (job.state is State.STOPPED and job.delete_requested)


def recover(job: Job, *, now: float) -> Job:
    """What becomes of a job that its dead owner left between two steps."""
    ended = (
        _finish(job, Ending(kind=EndingKind.CRASHED, error=_OWNER_DIED), now=now)
        if job.state in RUNNING_STATES
        else job
    )
    if ended.state is State.STOPPED and ended.delete_requested:
        return _delete(ended, reason=ended.reason or "deleted by request", now=now)
    return ended


_OWNER_DIED = ErrorInfo(type="WorkerCrashed", message="the server ended while the job was running")


def _new(submission: Submission, *, uid: int, version: int, now: float) -> Job:
    return Job(
        uid=uid,
        job_id=submission.job_id,
        job_type=submission.job_type,
        target=submission.target,
        command=submission.command,
        owner=submission.owner,
        options=submission.options,
        state=State.CREATED,
        version=version,
        order=version,
        created_at=now,
    )


def _start(job: Job, *, order: int) -> Job | Refused:
    if job.state is State.CREATED:
        return _replace(job, state=State.QUEUED, order=order)
    if job.state in ENDED_STATES:
        return Refused(Refusal.STATE_INVALID, job)
    return job


def _stop(job: Job, *, reason: str, now: float) -> Job | Refused:
    if job.state in PENDING_STATES:
        return _replace(job, state=State.STOPPED, reason=reason, completed_at=now)
    if job.state in RUNNING_STATES:
        return job if job.state is State.STOPPING else _replace(job, state=State.STOPPING, reason=reason)
    return Refused(Refusal.STATE_INVALID, job)


def _delete(job: Job, *, reason: str, now: float) -> Job:
    if job.state is State.DELETED:
        return job
    if job.state in RUNNING_STATES:
        return _replace(job, state=State.STOPPING, reason=job.reason or reason, delete_requested=True)
    return _replace(
        job,
        state=State.DELETED,
        reason=reason,
        completed_at=job.completed_at or now,
        description="",
        step="",
        error=None,
        has_result=False,
    )


def _report(job: Job, changes: Changes) -> Job:
    if changes == _NOTHING:
        return job
    progress = job.progress if changes.progress is None else max(0, min(100, changes.progress))
    description = job.description if changes.description is None else changes.description[:DESCRIPTION_MAX_LENGTH]
    step = job.step if changes.step is None else changes.step[:DESCRIPTION_MAX_LENGTH]
    return _replace(job, progress=progress, description=description, step=step)


_NOTHING = Changes()


def _finish(job: Job, ending: Ending, *, now: float) -> Job:
    if job.state is State.STOPPING:
        return _stopped(job, ending, now=now)
    return _ENDINGS[ending.kind](job, ending, now)


def _stopped(job: Job, ending: Ending, *, now: float) -> Job:
    return _replace(job, state=State.STOPPED, completed_at=now, has_result=ending.result is not None)


def _completed(job: Job, ending: Ending, now: float) -> Job:
    return _replace(
        job,
        state=State.COMPLETED,
        completed_at=now,
        progress=100,
        error=ending.error,
        completed_with_error=ending.completed_with_error,
        has_result=ending.result is not None,
    )


def _failed(job: Job, ending: Ending, now: float) -> Job:
    return _replace(job, state=State.FAILED, completed_at=now, error=ending.error, has_result=ending.result is not None)


def _ended_by_itself(job: Job, ending: Ending, now: float) -> Job:
    return _replace(
        job,
        state=State.STOPPED,
        completed_at=now,
        reason="the job stopped itself",
        has_result=ending.result is not None,
    )


def _crashed(job: Job, ending: Ending, now: float) -> Job:
    crashes = job.crashes + 1
    counted = _replace(job, crashes=crashes)
    if job.options.on_interrupt == "fail":
        return _failed(counted, _replace(ending, error=INTERRUPTED), now)
    if crashes >= job.options.max_crashes:
        return _failed(counted, ending, now)
    return _replace(counted, state=State.QUEUED)


def _released(job: Job, ending: Ending, now: float) -> Job:
    if job.options.on_interrupt == "fail":
        return _failed(job, _replace(ending, error=INTERRUPTED), now)
    return _replace(job, state=State.QUEUED)


def _recalled(job: Job, _ending: Ending, _now: float) -> Job:
    return _replace(job, state=State.QUEUED, started_at=None)


_ENDINGS: dict[EndingKind, Callable[[Job, Ending, float], Job]] = {
    EndingKind.COMPLETED: _completed,
    EndingKind.FAILED: _failed,
    EndingKind.STOPPED: _ended_by_itself,
    EndingKind.CRASHED: _crashed,
    EndingKind.RELEASED: _released,
    EndingKind.RECALLED: _recalled,
}
