"""A store in dictionaries: nothing survives it, and every other store is compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

import msgspec

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.model import decide, log_limit, log_pages
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.log_pages import LogExtent
from mcp_queue_plugin.model.log_pieces import LogPiece, LogPlace, StoredPiece
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    ById,
    ByToken,
    Claim,
    Delete,
    Finish,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Report,
    Start,
    Stop,
)
from mcp_queue_plugin.model.queries import Counts, JobPage, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import Capabilities


class MemoryStore:
    """Implements ``store.protocol.JobStore`` as plainly as it can be said.

    What is in it lives as long as the object: after ``close`` it can be opened again, which recovers it like any other
    store.
    """

    def __init__(self, clock: Clock, *, log_bytes: int = log_limit.LOG_BYTES) -> None:
        """Stamp changes with the time of ``clock`` and keep ``log_bytes`` bytes of each job's log."""
        self._clock = clock
        self._log_bytes = log_bytes
        self._jobs: dict[int, Job] = {}
        self._last_uids: dict[str, int] = {}
        self._params: dict[int, bytes] = {}
        self._results: dict[int, bytes] = {}
        self._logs: dict[int, list[StoredPiece]] = {}
        self._version = 0
        self._last_uid = 0

    @property
    def capabilities(self) -> Capabilities:
        """Nothing is durable here."""
        return Capabilities(backend="memory", durable=False)

    async def open(self) -> Sequence[Job]:
        """Recover what the last owner left between two steps."""
        now = self._clock()
        interrupted = [job for job in self._jobs.values() if decide.needs_recovery(job)]
        return [self._save(decide.recover(job, now=now)) for job in interrupted]

    async def close(self) -> None:
        """Nothing to give back."""

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply ``operations`` in order; nothing here can fail half-way."""
        now = self._clock()
        return [self._apply(operation, now) for operation in operations]

    async def get(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        return self._find(job_id)

    async def result(self, uid: int) -> bytes | None:
        """The result document of a job."""
        return self._results.get(uid)

    async def log_page(self, uid: int, query: LogQuery) -> LogPage:
        """One page of what a job wrote."""
        log = self._logs.get(uid, [])
        extent = LogExtent(log[0].begin, log[-1].end) if log else LogExtent()
        pieces = [piece for piece in log if query.stream in (None, piece.stream)]
        return log_pages.page(extent, pieces[::-1] if query.tail else pieces, query)

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of the jobs that match."""
        newest_first = query.order == "newest"
        matching = sorted(
            (job for job in self._jobs.values() if _matches(job, query)), key=lambda job: job.uid, reverse=newest_first
        )
        rest = [job for job in matching if _is_after(job, query)]
        jobs = tuple(rest[: query.limit])
        next_uid = jobs[-1].uid if len(rest) > len(jobs) else None
        return JobPage(jobs=jobs, total_count=len(matching), next_uid=next_uid)

    async def counts(self) -> Counts:
        """How many jobs stand in each state."""
        return Counts(by_state=dict(Counter(job.state.value for job in self._jobs.values())))

    async def oldest_queued_at(self) -> float | None:
        """When the queued job that waits longest was created."""
        queued = (job for job in self._jobs.values() if job.state is State.QUEUED)
        oldest = min(queued, key=lambda job: job.order, default=None)
        return oldest.created_at if oldest else None

    async def queued(self, limit: int) -> Sequence[tuple[Job, bytes]]:
        """The queued jobs whose turn comes next, with their parameters."""
        queued = [job for job in self._jobs.values() if job.state is State.QUEUED]
        queued.sort(key=lambda job: (-job.options.priority, job.order))
        return [(job, self._params[job.uid]) for job in queued[:limit]]

    def _apply(self, operation: Operation, now: float) -> Outcome:
        match operation:
            case Add() | Adopt():
                return self._add(operation, now)
            case Start() | Stop() | Delete():
                return self._change_by_id(operation, now)
            case Claim() | Report() | Finish():
                return self._change_by_token(operation, now)
            case _:
                assert_never(operation)

    def _add(self, operation: Add | Adopt, now: float) -> Outcome:
        existing = self._find(operation.submission.job_id)
        if existing is not None and existing.state is not State.DELETED:
            return Refused(Refusal.ALREADY_EXISTS, existing)
        self._last_uid += 1
        job = self._save(decide.add(operation, uid=self._last_uid, version=self._version + 1, now=now))
        self._last_uids[job.job_id] = job.uid
        self._params[job.uid] = operation.params
        return Applied(job)

    def _change_by_id(self, operation: ById, now: float) -> Outcome:
        job = self._find(operation.job_id)
        return self._settle(job, decide.by_id(operation, job, version=self._version + 1, now=now))

    def _change_by_token(self, operation: ByToken, now: float) -> Outcome:
        job = self._jobs.get(operation.token.uid)
        outcome = self._settle(job, decide.by_token(operation, job, now=now))
        if isinstance(outcome, Applied) and not isinstance(operation, Claim):
            self._append_log(outcome.job.uid, operation.log)
            if isinstance(operation, Finish) and operation.ending.result is not None and outcome.job.has_result:
                self._results[outcome.job.uid] = operation.ending.result
        return outcome

    def _append_log(self, uid: int, pieces: Sequence[LogPiece]) -> None:
        if pieces:
            log = self._logs.get(uid, [])
            end = log[-1].end if log else LogPlace()
            added, first_position = log_limit.append(end, pieces, log_bytes=self._log_bytes)
            self._logs[uid] = [piece for piece in log if piece.position >= first_position] + added

    def _find(self, job_id: str) -> Job | None:
        # Of all that had the id only the last can live: an id is free again once its job is a tombstone.
        uid = self._last_uids.get(job_id)
        return None if uid is None else self._jobs[uid]

    def _settle(self, job: Job | None, decided: Job | Refused) -> Outcome:
        if isinstance(decided, Refused):
            return decided
        if decided == job:
            return Applied(decided, changed=False)
        return Applied(self._save(decided), before=None if job is None else job.state)

    def _save(self, job: Job) -> Job:
        self._version += 1
        saved = msgspec.structs.replace(job, version=self._version)
        self._jobs[saved.uid] = saved
        if saved.state is State.DELETED:
            for documents in (self._params, self._results, self._logs):
                documents.pop(saved.uid, None)
        return saved


def _matches(job: Job, query: JobQuery) -> bool:
    status_matches = job.state is not State.DELETED if query.status is None else job.status is query.status
    return status_matches and all(
        asked is None or value == asked
        for value, asked in (
            (job.options.queue, query.queue),
            (job.job_type, query.job_type),
            (job.command, query.command),
            (job.owner, query.owner),
        )
    )


def _is_after(job: Job, query: JobQuery) -> bool:
    if query.after_uid is None:
        return True
    return job.uid < query.after_uid if query.order == "newest" else job.uid > query.after_uid
