"""Time, injected: wall time anchored once and advanced by the monotonic clock, so that it never jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

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
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
