"""What happens because time has passed: scheduled jobs become due, and what is over is removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf

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
SET_BACK_SECONDS = 1.0
"""By how much the clock has to have been set back to be noticed; less is waited for."""

Submit = Callable[[Operation, OutcomeCallback | None], None]


class Scheduler:
    """Queues scheduled jobs when their time has come: one timer, set to the next of them.

    The timer runs by the loop's time. When the clock has been set back meanwhile, delays that began in what is now the
    future begin again, so that no job waits for the clock to come back to where it was.
    """

    def __init__(self, store: JobStore, submit: Submit, clock: Clock) -> None:
        """Ask ``store`` what is due next; queue it through ``submit``."""
        self._store = store
        self._submit = submit
        self._clock = clock
        self._clock_ahead = self._clock_ahead_now()
        """How far the clock has been ahead of the loop's time since the store was asked last."""
        self._timer: asyncio.Handle | None = None
        self._looks_at = inf
        """When the timer runs; it cannot tell by itself if that is at once."""
        self._closed = False

    async def open(self) -> None:
        """Set the timer.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        due_at = await self._store.next_due()
        if due_at is not None:
            # By the clock as it was when the store was asked last, too: it may have been set back since.
            self._look_in(due_at - max(self._clock(), time.monotonic() + self._clock_ahead))

    def close(self) -> None:
        """Take no more notice of the time."""
        self._closed = True
        self._cancel()

    def on_change(self, job: Job) -> None:
        """Take note of a committed change."""
        if job.state is State.SCHEDULED and job.not_before is not None and job.queued_at is not None:
            self._clock_ahead = max(self._clock_ahead, job.queued_at - time.monotonic())
            self._look_in(min(job.not_before - self._clock(), job.not_before - job.queued_at))

    def _look_in(self, seconds: float) -> None:
        """See to it that what is due is queued after ``seconds`` at the latest."""
        if self._closed:
            return
        when = time.monotonic() + max(0.0, seconds)
        if when < self._looks_at:
            self._cancel()
            self._looks_at = when
            self._timer = asyncio.get_running_loop().call_at(when, self._queue_due_jobs)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._looks_at = None, inf

    def _queue_due_jobs(self) -> None:
        self._cancel()
        clock_ahead = self._clock_ahead_now()
        due = Due(DUE_JOBS, clock_was_set_back=clock_ahead < self._clock_ahead - SET_BACK_SECONDS)
        self._submit(due, lambda outcome: self._on_done(clock_ahead, outcome))

    def _on_done(self, clock_ahead: float, outcome: Outcome | QueueError) -> None:
        if isinstance(outcome, QueueError):
            self._look_in(FAILURE_PAUSE_SECONDS)
            return
        self._clock_ahead = clock_ahead
        if isinstance(outcome, Done) and outcome.more:
            self._queue_due_jobs()
        else:
            spawn(self._look(), name="next due")

    async def _look(self) -> None:
        try:
            await self.open()
        except StoreUnavailable:
            self._look_in(FAILURE_PAUSE_SECONDS)

    def _clock_ahead_now(self) -> float:
        return self._clock() - time.monotonic()


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
