"""Ends what dead workers left to this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress

from mcp_queue_plugin.workers import orphans

FIRST_PAUSE_SECONDS = 0.01
MAX_PAUSE_SECONDS = 1.0


class Sweeper:
    """Rounds of ``orphans.kill_strays``, repeated until one finds nothing; none in a process that is no subreaper."""

    def __init__(self, spare: Callable[[], Container[int]]) -> None:
        """Leave the children alone whose pids ``spare`` answers."""
        self._spare = spare
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._swept = asyncio.Event()

    def sweep(self) -> None:
        """Do the first round now; the others follow on the loop."""
        if self._timer is None and orphans.is_subreaper():
            self._round(FIRST_PAUSE_SECONDS)

    async def finish(self, timeout_seconds: float) -> None:
        """Sweep until nothing is left; wait for that no longer than ``timeout_seconds``."""
        self.sweep()
        if self._timer is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._swept.wait(), timeout_seconds)

    def _round(self, pause_seconds: float) -> None:
        if orphans.kill_strays(self._spare()):
            longer = min(pause_seconds * 2, MAX_PAUSE_SECONDS)
            self._swept.clear()
            self._timer = self._loop.call_later(pause_seconds, self._round, longer)
        else:
            self._timer = None
            self._swept.set()
