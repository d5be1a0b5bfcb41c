"""Keeps the pool from growing while the machine is short of memory, or busy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mcp_queue_plugin.model.scaling import Census, Machine, WorkerRules, growth

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
"""After how long the machine is looked at again, as long as workers are wanted."""


class GrowthGuard:
    """Says how many of the workers that are wanted may start. It looks at the machine only when some are."""

    def __init__(self, rules: WorkerRules, machine: Callable[[], Machine], look_again: Callable[[], None]) -> None:
        """Read the machine by ``machine``; call ``look_again`` a while after workers were held back."""
        self.held_back_by: str | None = None
        """Why workers that are wanted do not start, in words."""
        self._rules = rules
        self._machine = machine
        self._look_again = look_again
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._looks = bool(rules.min_free_memory_bytes) or rules.max_load_per_core is not None

    def allowed(self, wanted: int, census: Census) -> int:
        """How many of ``wanted`` workers may start now."""
        if wanted == 0:
            self.release()
            return 0
        if not self._looks or (wanted == 1 and not census.alive):
            return wanted
        if self._timer is not None:
            return 0 if census.alive else 1
        try:
            machine = self._machine()
        except OSError as error:
            # Most likely no descriptor is free, which the start of a worker will say in its own way.
            logger.warning("What the machine has left cannot be read, and holds no worker back: %s", error)
            return wanted
        allowed = growth(wanted, self._rules, census, machine)
        self.held_back_by = allowed.held_back_by
        if self.held_back_by is not None:
            self._timer = self._loop.call_later(LOOK_AGAIN_SECONDS, self._time_is_over)
        return allowed.workers

    def release(self) -> None:
        """Hold nothing back any more, until the next look."""
        self.held_back_by = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_over(self) -> None:
        self._timer = None
        self._look_again()
