"""The store's face: ``store.protocol.JobStore`` on one SQLite file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.crash_points import CrashPoint, reach, reach_each
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.log_limit import LOG_BYTES
from mcp_queue_plugin.model.operations import Operation, Outcome
from mcp_queue_plugin.model.queues import QueueFigures
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.commit_points import COMMITTED, WRITTEN, changing
from mcp_queue_plugin.store.protocol import OPERATIONS_PER_TURN, Capabilities
from mcp_queue_plugin.store.sqlite import positions, rows
from mcp_queue_plugin.store.sqlite.database import Database, Durability
from mcp_queue_plugin.store.sqlite.live import Draft, Live
from mcp_queue_plugin.store.sqlite.ownership import PEACEFUL, Owner, Succession
from mcp_queue_plugin.store.sqlite.queries import SQL
from mcp_queue_plugin.store.sqlite.reading import SqliteReading
from mcp_queue_plugin.store.sqlite.recent import RECENT_JOBS
from mcp_queue_plugin.store.sqlite.records import SqliteRecords
from mcp_queue_plugin.store.sqlite.schema import MIGRATIONS
from mcp_queue_plugin.store.steps import Steps


class SqliteStore(SqliteReading):
    """Jobs in the file at ``path``.

    A group, one at a time, runs on the calling thread, with turns of its loop in between, up to its commit, which waits
    for the disk in a thread; reads run on the calling thread, on a connection of their own. All methods raise
    StoreUnavailable when the file fails them, and serve again as soon as it works again.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability,
        clock: Clock,
        temporary: bool = False,
        log_bytes: int = LOG_BYTES,
        owner: Owner | None = None,
        succession: Succession = PEACEFUL,
        vfs: str | None = None,
        migrations: Sequence[str] = MIGRATIONS,
        recent_jobs: int = RECENT_JOBS,
    ) -> None:
        """Describe a store; ``open`` takes it.

        Args:
            path: the file, made when it is missing; beside it lie ``-wal``, ``-shm`` and ``.lock`` while it is open.
            durability: "full" waits for the disk at every commit; "normal" may lose the last moments with the power.
            clock: the time that changes are stamped with.
            temporary: delete the file at ``close``.
            log_bytes: how many bytes of each job's log are kept.
            owner: the server that the store is for; this process if it is none other.
            succession: how the file is taken from the owner before.
            vfs: the name of an SQLite VFS to use instead of the default one.
            migrations: the scripts that make up the schema.
            recent_jobs: how many of the records written last are kept at hand.

        """
        owner = owner or Owner.of(os.getpid())
        self._database = Database(
            path, durability=durability, owner=owner, succession=succession, vfs=vfs, migrations=migrations
        )
        super().__init__(self._database)
        self._clock = clock
        self._temporary = temporary
        self._recent_jobs = recent_jobs
        self._live = Live(recent_jobs=recent_jobs)
        self._log_bytes = log_bytes

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        return Capabilities(backend="sqlite", durable=not self._temporary, path=str(self._database.path))

    async def open(self, in_process: Collection[str] = ()) -> Sequence[Job]:
        """Take the file, recover it, and answer the records that the recovery changed.

        The jobs ``in_process`` are left as they are.

        Raises:
            StoreInUse: another server owns it.
            StoreRefused: it is not one of ours, or of a newer version; it is left untouched.
            StoreUnavailable: it cannot be read or written.

        """
        self._database.open()
        try:
            self._live = self._read_live(self._recent_jobs)
            async with self._transaction() as records:
                left = [job for job in records.recoverable() if job.job_id not in in_process]
                recovered = Steps(records).recover(left, list(self._live.states.values()))
                records.flush(always=True)
                reach(CrashPoint.RECOVERY_WRITTEN)
        except BaseException:
            self._database.close(remove=False)
            raise
        reach(CrashPoint.RECOVERY_COMMITTED)
        return recovered

    async def close(self) -> None:
        """Give the file back. Calling it again does nothing."""
        self._database.close(remove=self._temporary)

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply ``operations`` in order in one commit and answer an outcome for each, after the commit."""
        # Of an empty group it is asked whether the file takes writes: so it writes.
        async with self._transaction() as records:
            steps = Steps(records)
            outcomes = []
            for number, operation in enumerate(operations, 1):
                outcomes.append(steps.apply(operation))
                if number % OPERATIONS_PER_TURN == 0:
                    await asyncio.sleep(0)
            records.flush(always=not operations)
            reach_each(WRITTEN, changing(operations, outcomes))
        reach_each(COMMITTED, changing(operations, outcomes))
        return outcomes

    async def get(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        return self._live.recent.living(job_id) or await super().get(job_id)

    async def queued(self, queue: str, limit: int) -> Sequence[tuple[Job, bytes]]:
        """The queued jobs of a queue whose turn comes next, with their parameters."""
        return [(rows.decode_job(row), row[-1]) for row in self._database.fetch(SQL["queued_jobs"], queue, limit)]

    async def oldest_queued_at(self) -> float | None:
        """Since when the queued job waits that waits longest."""
        return self._single("oldest_queued_at")

    async def next_due(self) -> float | None:
        """When the next scheduled job is due."""
        return self._single("next_due")

    async def positions(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        """At which place of its queue each pending job stands, from 1, or would if it were queued now."""
        found = {job.uid: 1 for job in jobs if self._is_alone(job)}
        others = [job for job in jobs if job.uid not in found]
        if others:
            rank_time = max(self._live.counters.rank_time, self._clock())
            found |= positions.positions(self._database, self._live.queued, others, rank_time)
        return found

    async def queues(self) -> Mapping[str, QueueFigures]:
        """Every queue that has a state or a job that has not ended."""
        return self._live.figures()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[SqliteRecords]:
        draft = Draft(self._live)
        async with self._database.transaction(draft.commit) as connection:
            yield SqliteRecords(connection, draft, now=self._clock(), log_bytes=self._log_bytes)

    def _is_alone(self, job: Job) -> bool:
        """Whether no other job waits in the queue of a pending one: then nothing has to be counted."""
        return self._live.queued(job.options.queue) == (1 if job.state is State.QUEUED else 0)

    def _single(self, query: str) -> float | None:
        ((value,),) = self._database.fetch(SQL[query])
        return None if value is None else float(value)
