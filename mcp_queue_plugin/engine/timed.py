"""What happens because time has passed: scheduled jobs become due, and what is over is removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.errors import QueueError, StoreUnavailable
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Done, Due, Operation, Outcome, OutcomeCallback, Sweep
from mcp_queue_plugin.model.retention import SWEEP_MIN_SECONDS, sweep_interval_seconds
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore

DUE_JOBS = 500
SWEEP_JOBS = 200
FAILURE_PAUSE_SECONDS = 1.0
TIMER_MIN_SECONDS = 0.001

Submit = Callable[[Operation, OutcomeCallback | None], None]


class Scheduler:
    """Queues scheduled jobs when their time has come: one timer, set to the next of them."""

    def __init__(self, store: JobStore, submit: Submit, clock: Clock) -> None:
        """Ask ``store`` what is due next; queue it through ``submit``."""
        self._store = store
        self._submit = submit
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = float("inf")
        self._closed = False

    async def open(self) -> None:
        """Set the timer.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        self._expect(await self._store.next_due())

    def close(self) -> None:
        """Take no more notice of the time."""
        self._closed = True
        self._cancel()

    def on_change(self, job: Job) -> None:
        """Take note of a committed change."""
        if job.state is State.SCHEDULED:
            self._expect(job.not_before)

    def _expect(self, moment: float | None) -> None:
        if moment is not None and moment < self._due_at and not self._closed:
            self._cancel()
            self._due_at = moment
            seconds = max(TIMER_MIN_SECONDS, moment - self._clock())
            self._timer = asyncio.get_running_loop().call_later(seconds, self._queue_due_jobs)

    def _cancel(self) -> None:
        self._due_at = float("inf")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _queue_due_jobs(self) -> None:
        self._cancel()
        self._submit(Due(DUE_JOBS), self._on_done)

    def _on_done(self, outcome: Outcome | QueueError) -> None:
        if isinstance(outcome, QueueError):
            self._expect(self._clock() + FAILURE_PAUSE_SECONDS)
        elif isinstance(outcome, Done) and outcome.more:
            self._queue_due_jobs()
        else:
            spawn(self._look(), name="next due")

    async def _look(self) -> None:
        try:
            await self.open()
        except StoreUnavailable:
            self._expect(self._clock() + FAILURE_PAUSE_SECONDS)


class Retention:
    """Removes finished jobs, or tombstones, that are over for longer than they are kept."""

    def __init__(self, submit: Submit, *, tombstones: bool, age_seconds: float) -> None:
        """Remove through ``submit`` what is over for ``age_seconds``."""
        self._submit = submit
        self._sweep = Sweep(tombstones=tombstones, age_seconds=age_seconds, limit=SWEEP_JOBS)
        self._interval_seconds = sweep_interval_seconds(age_seconds)
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def open(self) -> None:
        """Begin; what is over since long ago goes soon after the start."""
        self._sweep_in(SWEEP_MIN_SECONDS)

    def close(self) -> None:
        """Sweep no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _sweep_in(self, seconds: float) -> None:
        if not self._closed:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._submit, self._sweep, self._on_done)

    def _on_done(self, outcome: Outcome | QueueError) -> None:
        # A full batch leaves the store to others for a turn, and goes on.
        self._sweep_in(0.0 if isinstance(outcome, Done) and outcome.more else self._interval_seconds)
