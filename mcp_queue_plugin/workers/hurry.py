"""Looks after the workers that have jobs lying ready: none of these is to wait behind one that takes long."""

from __future__ import annotations

import asyncio

from mcp_queue_plugin.workers.assignments import HURRY_SECONDS
from mcp_queue_plugin.workers.process import Worker


class Hurry:
    """The workers that hurry. There is a timer as long as there is one of them, and none else."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._workers: set[Worker] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, worker: Worker) -> None:
        """Look after a worker that has got an attempt while it had another."""
        self._workers.add(worker)
        if self._timer is None:
            self._timer = self._loop.call_later(HURRY_SECONDS, self._look)

    def cancel(self) -> None:
        """Look after nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        looked_at, self._workers = self._workers, set()
        for worker in looked_at:
            # What it has sent is read meanwhile, by which this one or another may come to hurry again.
            if not worker.assignments.slow_down():
                self.watch(worker)
