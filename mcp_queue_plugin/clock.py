"""Time, injected: wall time anchored once and advanced by the monotonic clock, so that it never jumps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Clock = Callable[[], float]
"""Answers the current time in seconds since the Unix epoch."""


def system_clock() -> Clock:
    """A clock anchored at the wall time of this call; a later change of the system's time does not move it."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


def iso8601(seconds: float | None) -> str | None:
    """``seconds`` since the epoch as ISO 8601 in UTC with milliseconds and a Z; None stays None."""
    if seconds is None:
        return None
    whole = math.floor(seconds)
    milliseconds = round((seconds - whole) * 1e6) // 1000
    return f"{_whole_second(whole)}.{milliseconds:03d}Z" if milliseconds < 1000 else f"{_whole_second(whole + 1)}.000Z"


# Most of what is told has just happened.
@lru_cache(maxsize=256)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
