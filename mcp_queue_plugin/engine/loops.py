"""What those need who are called from several event loops, or from none, or often in one turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that the caller runs on, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def resolve(future: asyncio.Future[T], outcome: T | Exception) -> None:
    """Settle a future of the running loop, unless it is settled."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class Soon:
    """Calls something once in the next turn of the running loop, however often it was asked for in this one."""

    def __init__(self, callback: Callable[[], None]) -> None:
        """Call ``callback``."""
        self._callback = callback
        self._asked = False

    def __call__(self) -> None:
        """Ask for it."""
        if not self._asked:
            self._asked = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._asked = False
        self._callback()
