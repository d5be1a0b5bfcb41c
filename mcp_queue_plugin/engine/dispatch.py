"""From the queue to the workers and back: claims jobs for free workers and turns what workers say into operations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.commits import Committer
from mcp_queue_plugin.engine.reports import Reports, merge
from mcp_queue_plugin.errors import QueueError, WorkerStartFailed
from mcp_queue_plugin.model.job import Job, Token
from mcp_queue_plugin.model.operations import (
    Changes,
    Claim,
    Claimed,
    Ending,
    EndingKind,
    Finish,
    LogChunk,
    Outcome,
)
from mcp_queue_plugin.workers.pool import WorkerPool
from mcp_queue_plugin.workers.protocol import Ready, Run, Setup

logger = logging.getLogger(__name__)

RELEASED = Ending(kind=EndingKind.RELEASED)


class Dispatcher:
    """Keeps every free worker busy as long as jobs are queued.

    Whether jobs may be queued is a flag, set by whatever can queue one and cleared before the claim that looks: a hint
    can come twice, but never be missed. The claim joins the group that is about to be committed.
    """

    def __init__(
        self,
        *,
        max_workers: int,
        min_workers: int,
        start_timeout_seconds: float,
        clock: Clock,
        queued_count: Callable[[], Awaitable[int]],
        on_ready: Callable[[Ready], None],
    ) -> None:
        """Run at most ``max_workers`` jobs at once; ``queued_count`` answers how many wait."""
        self._pool = WorkerPool(
            max_workers=max_workers,
            min_workers=min_workers,
            start_timeout_seconds=start_timeout_seconds,
            events=self,
            clock=clock,
        )
        self._queued_count = queued_count
        self._on_ready = on_ready
        self._reports: Reports
        self._committer: Committer
        self._may_be_queued = True
        self._closing = False
        self._asking: asyncio.Task[None] | None = None
        self.broken: WorkerStartFailed | None = None
        """Why the last worker did not start; None once one is ready."""

    def attach(self, committer: Committer) -> None:
        """Send operations to ``committer``."""
        self._committer = committer
        self._reports = Reports(committer.submit)

    @property
    def pool(self) -> WorkerPool:
        """The workers."""
        return self._pool

    def warm_up(self, setup: Setup) -> None:
        """Start workers of a new generation; from now on jobs are run."""
        self._pool.warm_up(setup)
        self.expect_queued()

    def expect_queued(self) -> None:
        """Say that a job may have become queued."""
        self._may_be_queued = True
        self._committer.wake()

    def before_commit(self) -> None:
        """Let a claim for the free workers join the group that is about to be committed."""
        free = self._pool.idle_count
        if not self._may_be_queued or self._closing:
            return
        if free == 0:
            self._ask_for_workers()
            return
        self._may_be_queued = False
        self._committer.submit(Claim(free), lambda outcome: self._on_claimed(free, outcome))

    def stop(self, job: Job, grace_seconds: float | None) -> None:
        """Make the worker of a job that is ``stopping`` let go, by force after the grace time."""
        self._pool.stop(job.token, job.options.stop_grace_seconds if grace_seconds is None else grace_seconds)

    async def close(self, timeout_seconds: float) -> None:
        """Give running jobs ``timeout_seconds`` to end, then hand them back to the queue and end all workers."""
        self._closing = True
        for token in await self._pool.close(timeout_seconds):
            self._finish(token, RELEASED, Changes())
        self._reports.flush()

    def on_idle(self) -> None:
        """Look for work: a worker is free."""
        if self._may_be_queued:
            self._committer.wake()

    def on_progress(self, token: Token, changes: Changes) -> None:
        """Gather what an attempt reports."""
        self._reports.add_changes(token, changes)

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        """Gather what an attempt wrote."""
        self._reports.add_log(token, chunk)

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        """Store the end of an attempt."""
        if ending.kind is EndingKind.CRASHED:
            self._may_be_queued = True
        self._finish(token, ending, changes)

    def on_ready(self, ready: Ready) -> None:
        """Note that workers of this generation work."""
        self.broken = None
        self._on_ready(ready)

    def on_broken(self, error: WorkerStartFailed) -> None:
        """Note why a worker does not start; jobs stay queued meanwhile."""
        self.broken = error
        logger.error("A worker did not start: %s", error)

    def _ask_for_workers(self) -> None:
        if self._pool.can_grow and (self._asking is None or self._asking.done()):
            self._asking = asyncio.get_running_loop().create_task(self._demand(), name="demand")

    async def _demand(self) -> None:
        self._pool.demand(await self._queued_count())

    def _finish(self, token: Token, ending: Ending, changes: Changes) -> None:
        gathered, log = self._reports.take(token)
        self._committer.submit(Finish(token=token, ending=ending, changes=merge(gathered, changes), log=log))

    def _on_claimed(self, asked: int, outcome: Outcome | QueueError) -> None:
        if not isinstance(outcome, Claimed):
            self._may_be_queued = True
            return
        for job, params in outcome.jobs:
            self._run(job, params)
        if len(outcome.jobs) == asked:
            self.expect_queued()

    def _run(self, job: Job, params: bytes) -> None:
        if self._pool.idle_count == 0:
            self._may_be_queued = True
            self._finish(job.token, RELEASED, Changes())
            return
        run = Run(token=job.token, job_id=job.job_id, job_type=job.job_type, target=job.target, command=job.command)
        self._pool.run(run, params)
