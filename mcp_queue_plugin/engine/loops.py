"""What those need who are called from several event loops, or from none."""

from __future__ import annotations

import asyncio
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
