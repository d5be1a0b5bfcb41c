"""Tells who has been idle for too long, by one timer that is set only while somebody may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_queue_plugin.model.scaling import WorkerRules, departure
from mcp_queue_plugin.workers.members import Members
from mcp_queue_plugin.workers.process import Worker


class IdleTimer:
    """Watches the idle workers beyond ``min_workers``. A pool without any has no timer."""

    def __init__(self, members: Members, rules: WorkerRules, on_idle_too_long: Callable[[Worker], None]) -> None:
        """Call ``on_idle_too_long`` for each worker that has to leave, the one that has been idle longest first."""
        self._members = members
        self._timeout_seconds = rules.idle_timeout_seconds
        self._min_workers = rules.min_workers
        self._on_idle_too_long = on_idle_too_long
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Take note that a worker has become idle."""
        if self._timer is None and len(self._members.processes) > self._min_workers:
            self._look()

    def cancel(self) -> None:
        """Watch nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._timeout_seconds is None:
            return
        idle = self._members.longest_idle()
        leaving, look_again_at = departure(
            [worker.idle_since for worker in idle],
            staying=self._members.census().staying,
            min_workers=self._min_workers,
            idle_timeout_seconds=self._timeout_seconds,
            now=self._loop.time(),
        )
        for worker in idle[:leaving]:
            self._on_idle_too_long(worker)
        if look_again_at is not None:
            self._timer = self._loop.call_at(look_again_at, self._look)
