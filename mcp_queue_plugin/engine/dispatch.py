"""From the queue to the workers and back: runs jobs on free workers and turns what workers say into operations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.commits import Change, Committer
from mcp_queue_plugin.engine.lookahead import Lookahead
from mcp_queue_plugin.engine.reports import Reports
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.errors import QueueError, StoreUnavailable, WorkerStartFailed
from mcp_queue_plugin.model.job import Job, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import (
    Applied,
    Changes,
    Claim,
    Ending,
    EndingKind,
    Finish,
    Outcome,
    merged,
)
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.workers.pool import WorkerPool
from mcp_queue_plugin.workers.protocol import Ready, Run, Setup

logger = logging.getLogger(__name__)

LOOKAHEAD_JOBS = 32
READ_RETRY_SECONDS = 1.0

RELEASED = Ending(kind=EndingKind.RELEASED)


class Dispatcher:
    """Keeps every free worker busy as long as jobs are queued.

    A job starts as soon as a worker is free, and its claim joins the next group: if the engine dies in between, the job
    is still queued and runs again, as one that was claimed would. A job that must never run twice (``on_interrupt``
    is ``fail``) starts after its claim is committed.
    """

    def __init__(
        self,
        store: JobStore,
        committer: Committer,
        *,
        max_workers: int,
        min_workers: int,
        start_timeout_seconds: float,
        clock: Clock,
        on_ready: Callable[[Ready], None],
    ) -> None:
        """Run at most ``max_workers`` jobs of ``store`` at once; operations go to ``committer``."""
        self._pool = WorkerPool(
            max_workers=max_workers,
            min_workers=min_workers,
            start_timeout_seconds=start_timeout_seconds,
            events=self,
            clock=clock,
        )
        self._claims: dict[int, Token] = {}
        """The claims that are not committed yet, by the job's uid."""
        self._reserved = 0
        """Free workers that wait for the claim of their job to be committed."""
        self._lookahead = Lookahead(store, depth=LOOKAHEAD_JOBS, is_claimed=self._claims.__contains__)
        self._on_ready = on_ready
        self._committer = committer
        self._reports = Reports(committer.submit, self._pool.hold_log)
        self._reading: asyncio.Task[None] | None = None
        self._closing = False
        self.broken: WorkerStartFailed | None = None
        """Why the last worker did not start; None once one is ready."""

    @property
    def pool(self) -> WorkerPool:
        """The workers."""
        return self._pool

    def warm_up(self, setup: Setup) -> None:
        """Start workers of a new generation; from now on jobs are run."""
        self._pool.warm_up(setup)
        self.dispatch()

    def on_committed(self, changes: Sequence[Change]) -> None:
        """Take note of what has become queued, and of what is queued no more."""
        for change in changes:
            self._lookahead.on_change(change.job)
        self.dispatch()

    def dispatch(self) -> None:
        """Give the free workers their next jobs, and ask for workers if there are too few."""
        if self._closing or self._committer.failure is not None:
            return
        while self._pool.idle_count > self._reserved:
            queued = self._lookahead.take()
            if queued is None:
                break
            self._begin(*queued)
        if self._lookahead.wants_more:
            self._read_ahead()
        elif len(self._lookahead) and self._pool.can_grow:
            self._pool.demand(len(self._lookahead))

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
        """Look for work: a worker is free, and so workers can start."""
        self.broken = None
        self.dispatch()

    def on_progress(self, token: Token, changes: Changes) -> None:
        """Gather what an attempt reports."""
        self._reports.add_changes(token, changes)

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        """Gather what an attempt wrote."""
        self._reports.add_log(token, chunk)

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        """Store the end of an attempt."""
        self._finish(token, ending, changes)

    def on_ready(self, ready: Ready) -> None:
        """Tell what workers of this generation know."""
        self._on_ready(ready)

    def on_broken(self, error: WorkerStartFailed) -> None:
        """Note why a worker does not start; jobs stay queued meanwhile."""
        self.broken = error
        logger.error("A worker did not start: %s", error)

    def _begin(self, job: Job, params: bytes) -> None:
        token = Token(job.uid, job.attempt + 1)
        self._claims[job.uid] = token
        if job.options.on_interrupt == "fail":
            self._reserved += 1
            self._committer.submit(Claim(token), lambda outcome: self._on_claimed_first(job, params, token, outcome))
            return
        # A short job's claim and end then share one commit.
        self._committer.submit(Claim(token), lambda outcome: self._on_claimed(token, outcome), patient=True)
        self._run(job, params, token)

    def _run(self, job: Job, params: bytes, token: Token) -> None:
        run = Run(token=token, job_id=job.job_id, job_type=job.job_type, target=job.target, command=job.command)
        self._pool.run(run, params)

    def _on_claimed(self, token: Token, outcome: Outcome | QueueError) -> None:
        del self._claims[token.uid]
        if not isinstance(outcome, Applied):
            # Stopped or deleted a moment before: what runs is void, and its token good for nothing.
            self._pool.stop(token, 0.0)

    def _on_claimed_first(self, job: Job, params: bytes, token: Token, outcome: Outcome | QueueError) -> None:
        del self._claims[token.uid]
        self._reserved -= 1
        if not isinstance(outcome, Applied):
            self.dispatch()
        elif self._pool.idle_count == 0:
            self._finish(token, Ending(kind=EndingKind.RECALLED), Changes())
        else:
            self._run(job, params, token)

    def _finish(self, token: Token, ending: Ending, changes: Changes) -> None:
        gathered, log = self._reports.end(token)
        self._committer.submit(Finish(token=token, ending=ending, changes=merged(gathered, changes), log=log))

    def _read_ahead(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = spawn(self._read(), name="read ahead")

    async def _read(self) -> None:
        try:
            await self._lookahead.read(len(self._claims))
        except StoreUnavailable as error:
            logger.error("The queue cannot be read, which is tried again: %s", error)
            asyncio.get_running_loop().call_later(READ_RETRY_SECONDS, self.dispatch)
            return
        if len(self._lookahead) or self._lookahead.wants_more:
            # On the next turn, when this read is over and another may begin.
            asyncio.get_running_loop().call_soon(self.dispatch)
