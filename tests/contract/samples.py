"""Jobs and operations to test stores with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mcp_queue_plugin.model.admission import Limit
from mcp_queue_plugin.model.job import Idempotency, Job, Submission, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    Claim,
    Done,
    Ending,
    EndingKind,
    Finish,
    OnMany,
    Operation,
    Outcome,
    Refusal,
    Refused,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import Counts, JobPage, JobQuery, LogPage
from mcp_queue_plugin.model.queues import QueueFigures
from mcp_queue_plugin.model.states import PENDING_STATES, Status
from mcp_queue_plugin.store.protocol import JobStore

NOTHING_WRITTEN = LogPage(entries=(), next_cursor=0, end_cursor=0, stdout_lines=0, stderr_lines=0, dropped_lines=0)


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
    idempotency: Idempotency | None = None,
) -> Submission:
    return Submission(
        job_id=job_id,
        job_type=job_type,
        target="package.module:Job",
        command=command,
        owner=owner,
        options=options or JobOptions(),
        idempotency=idempotency,
    )


def add(
    job_id: str,
    *,
    start: bool = True,
    params: bytes = b"{}",
    options: JobOptions | None = None,
    owner: str | None = None,
    limits: tuple[Limit, ...] = (),
) -> Add:
    return Add(submission=submission(job_id, owner=owner, options=options), params=params, start=start, limits=limits)


def adopt(job_id: str) -> Adopt:
    return Adopt(submission=submission(job_id), params=b"{}", description="runs in the server")


def finish(
    token: Token,
    kind: EndingKind = EndingKind.COMPLETED,
    *,
    result: bytes | None = None,
    log: tuple[LogPiece, ...] = (),
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


async def done(store: JobStore, operation: OnMany) -> Done:
    """What an operation on no single job did."""
    found = await outcome(store, operation)
    assert isinstance(found, Done)
    return found


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


class Content(NamedTuple):
    """All that can be read of a store."""

    living: JobPage
    deleted: JobPage
    found: list[Job | None]
    """By the ids of all of them."""
    queued: dict[str, list[tuple[Job, bytes]]]
    positions: Mapping[int, int]
    """Of all that are pending."""
    queues: Mapping[str, QueueFigures]
    counts: Counts
    next_due: float | None
    oldest_queued_at: float | None
    results: list[bytes | None]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All records, tombstones included."""
        return self.living.jobs + self.deleted.jobs


async def everything(store: JobStore) -> Content:
    living, deleted = [await store.list_jobs(JobQuery(status=status, limit=1_000)) for status in (None, Status.DELETED)]
    jobs = living.jobs + deleted.jobs
    return Content(
        living=living,
        deleted=deleted,
        found=[await store.get(job_id) for job_id in sorted({job.job_id for job in jobs})],
        queued={queue: list(await store.queued(queue, 1_000)) for queue in {job.options.queue for job in jobs}},
        positions=await store.positions([job for job in living.jobs if job.state in PENDING_STATES]),
        queues=await store.queues(),
        counts=await store.counts(),
        next_due=await store.next_due(),
        oldest_queued_at=await store.oldest_queued_at(),
        results=[await store.result(job.uid) for job in jobs],
    )


async def claim(store: JobStore, limit: int = 100, queue: str = "default") -> list[Job]:
    """The records of up to ``limit`` queued jobs after their claims, in the order of the queue."""
    return [await applied(store, claim_of(job)) for job, _ in await store.queued(queue, limit)]


async def run_new(store: JobStore, job_id: str, *, options: JobOptions | None = None) -> Job:
    """A job that was just added and claimed."""
    added = await applied(store, add(job_id, options=options))
    (job,) = [job for job in await claim(store, queue=added.options.queue) if job.uid == added.uid]
    return job
