"""The warm pool: workers of one generation, started as they are needed and replaced when they go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Changes, Ending, LogChunk
from mcp_queue_plugin.workers.backoff import Backoff
from mcp_queue_plugin.workers.process import Worker, WorkerState
from mcp_queue_plugin.workers.protocol import Ready, Run, Setup
from mcp_queue_plugin.workers.spawn import WORKER_COMMAND
from mcp_queue_plugin.workers.sweeper import Sweeper

_KILL_SECONDS = 5.0


class PoolEvents(Protocol):
    """Whom the pool tells what happens. All methods are called on the loop and must return soon."""

    def on_idle(self) -> None:
        """A worker became free: one more job can be run."""
        ...

    def on_progress(self, token: Token, changes: Changes) -> None:
        """A running attempt reported ``changes``."""
        ...

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        """A running attempt wrote ``chunk``."""
        ...

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        """An attempt ended; ``changes`` are its last, and every chunk it wrote has been told before."""
        ...

    def on_ready(self, ready: Ready) -> None:
        """For the first time a worker of this generation is ready."""
        ...

    def on_broken(self, error: WorkerStartFailed) -> None:
        """A worker did not become ready. Its data hold ``traceback`` and ``stderr_tail``, where there are any."""
        ...


class WorkerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The pool in numbers. ``started`` and ``crashed_total`` count from the pool's beginning."""

    started: int
    idle: int
    busy: int
    starting: int
    crashed_total: int
    pids: tuple[int, ...]
    last_error: str | None


class WorkerPool:
    """Keeps workers warm and gives them jobs. Lives on one loop, on the thread that made it.

    In a process that is a subreaper (``warden.become_subreaper``) the pool owns all child processes: whatever is no
    worker of its was left behind by one, and is killed when a worker ends.
    """

    def __init__(
        self,
        *,
        max_workers: int,
        min_workers: int,
        start_timeout_seconds: float,
        events: PoolEvents,
        clock: Clock,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        """A pool without workers: ``warm_up`` starts the first. ``command`` is what a worker's process executes."""
        self._max_workers = max_workers
        self._min_workers = min_workers
        self._start_timeout_seconds = start_timeout_seconds
        self._events = events
        self._clock = clock
        self._command = command
        self._max_starting = os.cpu_count() or 1
        self._setup: Setup | None = None
        self._announced = False
        self._closing = False
        self._workers: set[Worker] = set()
        self._starting: set[Worker] = set()
        self._idle: list[Worker] = []
        self._busy: dict[Token, Worker] = {}
        self._outdated: set[Worker] = set()
        self._demand = 0
        self._backoff = Backoff(self._replenish)
        self._sweeper = Sweeper(self._pids)
        self._started = 0
        self._crashed_total = 0
        self._last_error: str | None = None

    @property
    def idle_count(self) -> int:
        """How many jobs can be run now."""
        return len(self._idle)

    @property
    def can_grow(self) -> bool:
        """Whether there may be one more worker."""
        return len(self._workers) < self._max_workers

    def warm_up(self, setup: Setup) -> None:
        """Start ``min_workers`` workers of the generation that ``setup`` describes.

        Workers of another generation retire: the idle and the starting at once, the busy after their job.
        """
        if setup == self._setup:
            return
        self._setup = setup
        self._announced = False
        self._backoff.reset()
        self._dismiss_free_workers()
        self._outdated.update(self._busy.values())
        self._replenish()

    def demand(self, jobs_waiting: int) -> None:
        """Say how many jobs wait for a worker: the pool grows towards that, a few processes at a time."""
        self._demand = jobs_waiting
        self._replenish()

    def run(self, run: Run, params: bytes) -> None:
        """Run an attempt on the most recently used idle worker; ``idle_count`` must not be 0.

        Raises:
            ProtocolViolation: the attempt does not fit into a frame; nothing has happened.

        """
        worker = self._idle[-1]
        worker.run(run, params)
        self._idle.pop()
        self._busy[run.token] = worker
        self._demand = max(0, self._demand - 1)

    def stop(self, token: Token, grace_seconds: float) -> None:
        """Ask an attempt to let go; when ``grace_seconds`` have passed, end its worker with all it has started.

        It is then reported as stopped. An attempt that does not run here any more is ignored.
        """
        worker = self._busy.get(token)
        if worker is not None:
            worker.stop(grace_seconds)

    def abandon(self, token: Token) -> None:
        """End the worker of an attempt by force, with all it has started, and report nothing more of the attempt."""
        worker = self._busy.pop(token, None)
        if worker is not None:
            self._outdated.discard(worker)
            worker.abandon()

    def statistics(self) -> WorkerStatistics:
        """The pool in numbers."""
        return WorkerStatistics(
            started=self._started,
            idle=len(self._idle),
            busy=len(self._busy),
            starting=len(self._starting),
            crashed_total=self._crashed_total,
            pids=tuple(sorted(self._pids())),
            last_error=self._last_error,
        )

    async def close(self, timeout_seconds: float) -> list[Token]:
        """Take no more jobs, let the running ones end for ``timeout_seconds``, then leave no process behind.

        Answers the attempts that were still running; they are not reported as ended.
        """
        self._closing = True
        self._backoff.reset()
        self._dismiss_free_workers()
        await self._wait_until_gone(timeout_seconds)
        left = dict(self._busy)
        self._busy.clear()
        for worker in left.values():
            worker.abandon()
        await self._wait_until_gone(_KILL_SECONDS)
        await self._sweeper.finish(_KILL_SECONDS)
        return list(left)

    def worker_ready(self, worker: Worker, ready: Ready) -> None:
        """A worker takes jobs now."""
        self._starting.discard(worker)
        self._backoff.reset()
        self._idle.append(worker)
        if not self._announced:
            self._announced = True
            self._events.on_ready(ready)
        self._events.on_idle()
        self._replenish()

    def worker_progress(self, token: Token, changes: Changes) -> None:
        """A running attempt reported something."""
        self._events.on_progress(token, changes)

    def worker_log(self, token: Token, chunk: LogChunk) -> None:
        """A running attempt wrote something."""
        self._events.on_log(token, chunk)

    def worker_ended(self, worker: Worker, token: Token, ending: Ending, changes: Changes) -> None:
        """An attempt ended; its worker takes the next job if it is fit for it."""
        del self._busy[token]
        free = worker.state is WorkerState.IDLE
        if free and (self._closing or worker in self._outdated):
            worker.retire()
            free = False
        self._outdated.discard(worker)
        if free:
            self._idle.append(worker)
        self._events.on_ended(token, ending, changes)
        if free:
            self._events.on_idle()

    def worker_gone(self, worker: Worker) -> None:
        """A worker's process has ended: account for it, end what it left, replace it if it is needed."""
        self._workers.discard(worker)
        self._starting.discard(worker)
        with suppress(ValueError):
            self._idle.remove(worker)
        self._sweeper.sweep()
        if worker.crash is not None:
            self._crashed_total += 1
            self._last_error = worker.crash
        if worker.failure is not None and not self._closing:
            self._start_failed(worker.failure)
        self._replenish()

    def _replenish(self) -> None:
        if self._closing or self._setup is None or self._backoff.waiting:
            return
        free = len(self._starting) + len(self._idle)
        current = free + len(self._busy) - len(self._outdated)
        wanted = max(self._demand - free, self._min_workers - current)
        room = min(self._max_workers - len(self._workers), self._max_starting - len(self._starting))
        for _ in range(min(wanted, room)):
            if not self._backoff.waiting:
                self._start(self._setup)

    def _start(self, setup: Setup) -> None:
        try:
            worker = Worker(
                setup,
                self,
                start_timeout_seconds=self._start_timeout_seconds,
                clock=self._clock,
                command=self._command,
            )
        except WorkerStartFailed as error:
            self._start_failed(error)
            return
        self._started += 1
        self._workers.add(worker)
        self._starting.add(worker)

    def _start_failed(self, error: WorkerStartFailed) -> None:
        self._last_error = error.message
        self._backoff.failed()
        self._events.on_broken(error)

    def _pids(self) -> set[int]:
        return {worker.pid for worker in self._workers}

    async def _wait_until_gone(self, timeout_seconds: float) -> None:
        if self._workers:
            await asyncio.wait([worker.gone for worker in self._workers], timeout=timeout_seconds)

    def _dismiss_free_workers(self) -> None:
        for worker in self._idle:
            worker.retire()
        for worker in self._starting:
            worker.kill()
        self._idle.clear()
        self._starting.clear()
