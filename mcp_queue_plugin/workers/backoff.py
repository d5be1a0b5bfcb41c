"""Waiting longer after each failure in a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FIRST_SECONDS = 1.0
MAX_SECONDS = 30.0


class Backoff:
    """Calls back after 1 s, then 2 s, doubling to 30 s with every failed try, until one succeeds."""

    def __init__(self, try_again: Callable[[], None]) -> None:
        """Call ``try_again`` on the running loop when the wait after a failure is over."""
        self._try_again = try_again
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._delay = FIRST_SECONDS

    @property
    def waiting(self) -> bool:
        """Whether the next try is still to come."""
        return self._timer is not None

    def failed(self) -> None:
        """Begin to wait. Failures during a wait belong to the same try."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._delay, self._wait_is_over)
            self._delay = min(self._delay * 2, MAX_SECONDS)

    def reset(self) -> None:
        """Forget all failures and do not call back for them."""
        self._delay = FIRST_SECONDS
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_is_over(self) -> None:
        self._timer = None
        self._try_again()
