"""What every store promises the engine; tests/contract runs the same suite over all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Operation, Outcome
from mcp_queue_plugin.model.queries import Counts, JobPage, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.queues import QueueFigures

OPERATIONS_PER_TURN = 8
"""So many of a group are dealt with in one turn of the loop: others on it wait for these, not for the whole group."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a store can do, said openly."""

    backend: str
    durable: bool
    """An acknowledged operation survives a crash of the server."""
    path: str | None = None


class JobReader(Protocol):
    """The reading half of a store, which does not need to own it. Its methods see committed changes only.

    They raise StoreUnavailable when the store cannot be read.
    """

    async def get(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        ...

    async def result(self, uid: int) -> bytes | None:
        """The result document of a job."""
        ...

    async def log_page(self, uid: int, query: LogQuery) -> LogPage:
        """One page of what a job wrote, read without what lies before and behind it; see ``model.log_pages.page``."""
        ...

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of the jobs that match."""
        ...

    async def queues(self) -> Mapping[str, QueueFigures]:
        """Every queue that has a state or a job that has not ended, without counting rows."""
        ...

    async def counts(self) -> Counts:
        """How many jobs stand in each state, without counting rows."""
        ...


class JobStore(JobReader, Protocol):
    """The truth about all jobs: it alone decides what runs next.

    ``apply`` is the only way to change anything. A store has one caller (the engine), which never overlaps two calls of
    ``apply``.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    async def open(self, in_process: Collection[str] = ()) -> Sequence[Job]:
        """Take the store, recover it, and answer the records that the recovery changed.

        What was running when the former owner died is queued again or ends, as ``model.decide.recover`` says; but not
        the jobs ``in_process``, which the server runs itself and which go on.

        Raises:
            StoreInUse: another server owns it.
            StoreRefused: the file is not one of ours, or of a newer version; it is left untouched.
            StoreUnavailable: it cannot be read or written.

        """
        ...

    async def close(self) -> None:
        """Give the store back. Calling it again does nothing."""
        ...

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply ``operations`` in order in one commit and answer an outcome for each, after the commit.

        An empty group finds out whether the store takes writes.

        Raises:
            StoreUnavailable: the commit failed; nothing of the group took effect.

        """
        ...

    async def queued(self, queue: str, limit: int) -> Sequence[tuple[Job, bytes]]:
        """The queued jobs of a queue whose turn comes next, with their parameters, by their ``place``.

        A look, not a claim: ``Claim`` decides.
        """
        ...

    async def next_due(self) -> float | None:
        """When the next scheduled job is due, in seconds since the epoch; ``Due`` queues it then."""
        ...

    async def positions(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        """At which place of its queue each pending job stands, from 1, or would if it were queued now; by uid."""
        ...

    async def oldest_queued_at(self) -> float | None:
        """Since when the queued job waits that waits longest."""
        ...
