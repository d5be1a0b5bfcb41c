"""Jobs and operations to test stores with."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job, Submission, Token
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    Claim,
    Ending,
    EndingKind,
    Finish,
    LogChunk,
    Operation,
    Outcome,
    Refusal,
    Refused,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.store.protocol import JobStore


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def submission(
    job_id: str,
    *,
    job_type: str = "command_execution",
    command: str | None = "echo",
    owner: str | None = None,
    options: JobOptions | None = None,
) -> Submission:
    return Submission(
        job_id=job_id,
        job_type=job_type,
        target="package.module:Job",
        command=command,
        owner=owner,
        options=options or JobOptions(),
    )


def add(job_id: str, *, start: bool = True, params: bytes = b"{}", options: JobOptions | None = None) -> Add:
    return Add(submission=submission(job_id, options=options), params=params, start=start)


def adopt(job_id: str) -> Adopt:
    return Adopt(submission=submission(job_id), params=b"{}", description="runs in the server")


def finish(
    token: Token,
    kind: EndingKind = EndingKind.COMPLETED,
    *,
    result: bytes | None = None,
    log: tuple[LogChunk, ...] = (),
) -> Finish:
    return Finish(token=token, ending=Ending(kind=kind, result=result), log=log)


async def outcome(store: JobStore, operation: Operation) -> Outcome:
    (only,) = await store.apply([operation])
    return only


async def applied(store: JobStore, operation: Operation) -> Job:
    """The record after an operation that must have changed it."""
    found = await outcome(store, operation)
    assert isinstance(found, Applied)
    assert found.changed
    return found.job


async def unchanged(store: JobStore, operation: Operation) -> Job:
    """The record after an operation that must have found it so already."""
    found = await outcome(store, operation)
    assert isinstance(found, Applied)
    assert not found.changed
    return found.job


async def refused(store: JobStore, operation: Operation) -> tuple[Refusal, Job | None]:
    found = await outcome(store, operation)
    assert isinstance(found, Refused)
    return found.refusal, found.job


def claim_of(job: Job) -> Claim:
    """The claim of a queued job's next attempt."""
    return Claim(Token(uid=job.uid, attempt=job.attempt + 1))


async def claim(store: JobStore, limit: int = 100, queue: str = "default") -> list[Job]:
    """The records of up to ``limit`` queued jobs after their claims, in the order of the queue."""
    return [await applied(store, claim_of(job)) for job, _ in await store.queued(queue, limit)]


async def run_new(store: JobStore, job_id: str, *, options: JobOptions | None = None) -> Job:
    """A job that was just added and claimed."""
    added = await applied(store, add(job_id, options=options))
    (job,) = [job for job in await claim(store, queue=added.options.queue) if job.uid == added.uid]
    return job
