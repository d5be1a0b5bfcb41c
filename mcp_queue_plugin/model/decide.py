"""What each operation does to a job: pure functions from a record to the next one, or to a refusal.

Stores that read and write a record in one step execute these; a store that decides elsewhere (in Lua) is proven equal
to them. The record's ``version`` is the store's to give, so the functions leave it as it is.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

import msgspec

from mcp_queue_plugin.model import endings, questions
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH, ErrorInfo, Job, Submission, Token
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Ask,
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
from mcp_queue_plugin.model.places import due_at, rank
from mcp_queue_plugin.model.states import ENDED_STATES, PENDING_STATES, RUNNING_STATES, State

STORED_LATE_SECONDS = 60.0
"""An end that was stored later than this counts as later, too."""

_replace = msgspec.structs.replace


class Moment(NamedTuple):
    """When an operation is decided. ``version`` is the one that its change will get, ``now`` the time.

    ``rank_time`` is the time too, but never goes back: a clock that was set back lets no new job overtake those that
    wait.
    """

    now: float
    rank_time: float
    version: int


def add(operation: Add | Adopt, *, uid: int, at: Moment) -> Job:
    """The record of a new job."""
    job = _new(operation.submission, uid=uid, at=at)
    match operation:
        case Adopt():
            return _replace(_claim(job, now=at.now), description=operation.description)
        case Add(start=True):
            return _wait(job, at)
        case Add():
            return job


def by_id(operation: ById, job: Job | None, *, at: Moment) -> Job | Refused:
    """What an operation on a job's public id does; the same record means that it already was so."""
    if job is None or (job.state is State.DELETED and not isinstance(operation, Delete)):
        return Refused(Refusal.NOT_FOUND)
    match operation:
        case Start():
            return _start(job, at)
        case Stop(reason=reason):
            return stop(job, reason=reason, now=at.now)
        case Delete(reason=reason, uid=uid):
            meant = uid in (None, job.uid)
            return _delete(job, reason=reason, now=at.now) if meant else Refused(Refusal.NOT_FOUND)
        case _:
            assert_never(operation)


def ask(operation: Ask, job: Job | None, *, is_answered: bool) -> Job | Refused:
    """What the question of an attempt does to its job; one that ``is_answered`` is not asked again."""
    if job is None or not _is_current(operation.token, job):
        return Refused(Refusal.STALE_TOKEN, job)
    reported = _report(job, operation.changes)
    asking = reported if is_answered else questions.ask(reported, operation.question)
    return Refused(Refusal.TOO_MANY_QUESTIONS, job) if asking is None else asking


def by_token(operation: ByToken, job: Job | None, *, now: float) -> Job | Refused:
    """What an attempt's own write does; a write under an old token is refused."""
    if job is None:
        return Refused(Refusal.STALE_TOKEN)
    begins = isinstance(operation, Claim) or (isinstance(operation, Finish) and operation.begun_at is not None)
    holds = _is_next(operation.token, job) if begins else _is_current(operation.token, job)
    if not holds:
        return Refused(Refusal.STALE_TOKEN, job)
    match operation:
        case Claim(begun_at=begun_at):
            return _claim(job, now=now if begun_at is None else begun_at)
        case Report(changes=changes):
            return _report(job, changes)
        case Finish(ending=ending, begun_at=begun_at):
            running = job if begun_at is None else _claim(job, now=begun_at)
            reported = _report(running, operation.changes)
            return endings.finish(reported, ending, jitter=operation.jitter, now=ended_at(operation, now=now))
        case _:
            assert_never(operation)


def ended_at(operation: Finish, *, now: float) -> float:
    """When the attempt ended whose end is stored ``now``, as its record says it.

    After a store has failed for long that is not much before: the time for which a result is kept begins when it can be
    read.
    """
    return now if operation.ended_at is None else max(operation.ended_at, now - STORED_LATE_SECONDS)


def may_retry(job: Job) -> bool:
    """Whether ``retry`` may follow: it failed or was stopped, is not about to be deleted, and has code for a worker."""
    return job.state in (State.FAILED, State.STOPPED) and not job.delete_requested and not job.runs_in_server


def retry(job: Job, *, at: Moment) -> Job:
    """Queue a job that failed or was stopped once more, with all its retries and crashes before it again."""
    afresh = _replace(
        job, completed_at=None, reason=None, error=None, has_result=False, progress=0, crashes=0, retries=0
    )
    return _queue(afresh, at)


def due(job: Job, *, at: Moment) -> Job:
    """A scheduled job whose time has come: it begins to wait for a slot."""
    return _queue(job, at)


def stop(job: Job, *, reason: str, now: float) -> Job | Refused:
    """Stop a job, or ask one that runs to let go."""
    if job.state in PENDING_STATES:
        return _replace(job, state=State.STOPPED, reason=reason, completed_at=now, not_before=None, questions=())
    if job.state in RUNNING_STATES:
        return job if job.state is State.STOPPING else _replace(job, state=State.STOPPING, reason=reason, questions=())
    return Refused(Refusal.STATE_INVALID, job)


def was_interrupted(job: Job) -> bool:
    """Whether the store's owner died while an attempt was running."""
    return job.state in RUNNING_STATES


def needs_recovery(job: Job, *, now: float) -> bool:
    """Whether the death of the store's owner, or a clock that was set back, left this job between two steps."""
    half_deleted = job.state is State.STOPPED and job.delete_requested
    return was_interrupted(job) or half_deleted or waits_too_long(job, now=now)


def waits_too_long(job: Job, *, now: float) -> bool:
    """Whether a delay began in what is now the future; a time that was asked for as such holds whatever happens."""
    waits_for_run_at = job.options.run_at is not None and job.retries == 0
    return job.state is State.SCHEDULED and not waits_for_run_at and job.queued_at is not None and job.queued_at > now


def recover(job: Job, *, now: float) -> Job:
    """What becomes of a job that was left between two steps."""
    if job.state is State.SCHEDULED:
        assert job.not_before is not None
        assert job.queued_at is not None
        return _replace(job, not_before=now + job.not_before - job.queued_at, queued_at=now)
    ended = endings.finish(job, OWNER_DIED, jitter=1.0, now=now) if was_interrupted(job) else job
    if ended.state is State.STOPPED and ended.delete_requested:
        return _delete(ended, reason=ended.reason or "deleted by request", now=now)
    return ended


OWNER_DIED = Ending(
    kind=EndingKind.CRASHED,
    error=ErrorInfo(type="WorkerCrashed", message="the server, or its engine, ended while the job was running"),
)


def _is_next(token: Token, job: Job) -> bool:
    return job.state is State.QUEUED and token.attempt == job.attempt + 1


def _is_current(token: Token, job: Job) -> bool:
    return job.attempt == token.attempt and job.state in RUNNING_STATES


def _new(submission: Submission, *, uid: int, at: Moment) -> Job:
    return Job(
        uid=uid,
        job_id=submission.job_id,
        job_type=submission.job_type,
        target=submission.target,
        command=submission.command,
        owner=submission.owner,
        options=submission.options,
        state=State.CREATED,
        version=at.version,
        order=at.version,
        created_at=at.now,
        changed_at=at.now,
    )


def _start(job: Job, at: Moment) -> Job | Refused:
    if job.state is State.CREATED:
        return _wait(job, at)
    if job.state in ENDED_STATES:
        return Refused(Refusal.STATE_INVALID, job)
    return job


def _wait(job: Job, at: Moment) -> Job:
    """Let a started job wait for its time, or for a slot."""
    not_before = due_at(job.options, at.now)
    if not_before > at.now:
        return _replace(job, state=State.SCHEDULED, not_before=not_before, queued_at=at.now)
    return _queue(job, at)


def _queue(job: Job, at: Moment) -> Job:
    return _replace(
        job,
        state=State.QUEUED,
        not_before=None,
        queued_at=at.now,
        rank=rank(job.options, at.rank_time),
        order=at.version,
    )


def _claim(job: Job, *, now: float) -> Job:
    return _replace(
        job,
        state=State.WORKING,
        attempt=job.attempt + 1,
        progress=0,
        description="",
        step="",
        error=None,
        started_at=now,
    )


def _delete(job: Job, *, reason: str, now: float) -> Job:
    if job.state is State.DELETED:
        return job
    if job.state in RUNNING_STATES:
        return _replace(job, state=State.STOPPING, reason=job.reason or reason, delete_requested=True, questions=())
    return _replace(
        job,
        state=State.DELETED,
        reason=reason,
        completed_at=job.completed_at or now,
        deleted_at=now,
        not_before=None,
        description="",
        step="",
        error=None,
        has_result=False,
        questions=(),
        has_answers=False,
    )


def _report(job: Job, changes: Changes) -> Job:
    if changes == _NOTHING:
        return job
    progress = job.progress if changes.progress is None else max(0, min(100, changes.progress))
    description = job.description if changes.description is None else changes.description[:DESCRIPTION_MAX_LENGTH]
    step = job.step if changes.step is None else changes.step[:DESCRIPTION_MAX_LENGTH]
    return _replace(job, progress=progress, description=description, step=step)


_NOTHING = Changes()
