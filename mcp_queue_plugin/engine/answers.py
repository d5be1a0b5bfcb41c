"""From the outcomes of operations to what callers are told."""

from __future__ import annotations

from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import (
    IdempotencyConflict,
    JobAlreadyExists,
    JobNotFound,
    JobStateInvalid,
    QuestionNotFound,
    QueueError,
    QueueFull,
)
from mcp_queue_plugin.model.admission import Full, Scope
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import (
    Add,
    AnswerQuestion,
    Applied,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Retry,
    Start,
    Stop,
)
from mcp_queue_plugin.model.states import Status


def answer_of(outcome: Outcome | QueueError, operation: Operation, job_id: str) -> Answer | QueueError:
    """What to answer who asked for ``operation`` on ``job_id``."""
    match outcome:
        case QueueError():
            return outcome
        case Applied(job=job):
            return Answer(job)
        case Refused(refusal=Refusal.NOT_FOUND):
            return JobNotFound(job_id)
        case Refused(refusal=Refusal.ALREADY_EXISTS):
            return JobAlreadyExists(job_id)
        case Refused(refusal=Refusal.IDEMPOTENCY_CONFLICT, job=Job() as job):
            assert isinstance(operation, Add)
            return _idempotency_conflict(operation, job)
        case Refused(refusal=Refusal.QUEUE_FULL, full=Full() as full):
            return _queue_full(full)
        case Refused(refusal=Refusal.QUESTION_NOT_FOUND, job=Job() as job):
            assert isinstance(operation, AnswerQuestion)
            return question_not_found(job, operation.key)
        case Refused(job=Job(runs_in_server=True) as job) if isinstance(operation, Retry):
            return JobStateInvalid(
                job_id,
                "the command ran in the server itself, not in a worker: call it again",
                action="retry",
                current_status=job.status.value,
                allowed_statuses=[],
            )
        case Refused(job=Job() as job):
            action, allowed = _ACTIONS[type(operation)]
            return JobStateInvalid(
                job_id, action=action, current_status=job.status.value, allowed_statuses=list(allowed)
            )
    raise AssertionError(f"the store answered {operation!r} with {outcome!r}")


def question_not_found(job: Job, key: str) -> QuestionNotFound:
    """The error that says which questions of ``job`` are open instead of ``key``."""
    open_keys = [question.key for question in job.questions]
    open_ones = f"open are: {', '.join(map(repr, open_keys))}" if open_keys else "none is open"
    return QuestionNotFound(
        job.job_id,
        f"job {job.job_id} ({job.status.value}) has no open question {key!r}; {open_ones}",
        key=key,
        open_keys=open_keys,
    )


def _idempotency_conflict(add: Add, existing: Job) -> IdempotencyConflict:
    assert add.submission.idempotency is not None
    key = add.submission.idempotency.key
    return IdempotencyConflict(
        f"the idempotency_key {key!r} belongs to job {existing.job_id}, which was handed in with other parameters",
        field="idempotency_key",
        value=key,
        existing_job_id=existing.job_id,
    )


def _queue_full(full: Full) -> QueueFull:
    limit = full.limit
    whose = _WHOSE[limit.scope].format(name=limit.name)
    why = "and none is evicted for a new one" if limit.overflow == "reject" else "and none of this owner can be evicted"
    return QueueFull(
        f"{full.count} jobs {whose} have not ended, {limit.max_jobs} are allowed, {why}: try again later",
        limit=limit.scope,
        name=limit.name or None,
        max_jobs=limit.max_jobs,
        jobs=full.count,
    )


_WHOSE: dict[Scope, str] = {
    "all": "of all queues",
    "queue": "of the queue {name!r}",
    "job_type": "of the type {name!r}",
    "command": "of the command {name!r}",
}

_ACTIONS: dict[type, tuple[str, tuple[str, ...]]] = {
    Start: ("start", (Status.PENDING,)),
    Stop: ("stop", (Status.PENDING, Status.RUNNING)),
    Retry: ("retry", (Status.FAILED, Status.STOPPED)),
}
