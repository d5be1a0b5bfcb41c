"""How many jobs lie ready in a worker at once: as many as are done in no time, and else one after another."""

from __future__ import annotations

READY_SECONDS = 0.003
"""About how long a worker may be busy with all that lies ready in it."""

READY_MAX = 24
"""Beyond so many, what it costs to wake a worker is no matter any more."""

UNKNOWN = float("inf")
"""The pace of a worker of which nothing is known."""


def pace_after(pace_seconds: float, took_seconds: float) -> float:
    """How long the jobs of a worker take, now that one took ``took_seconds``: quick to rise, and slow to fall."""
    if took_seconds >= pace_seconds or pace_seconds == UNKNOWN:
        return took_seconds
    return (pace_seconds + took_seconds) / 2


def ready_jobs(pace_seconds: float) -> int:
    """How many jobs a worker of this pace may have, that which it runs included."""
    if pace_seconds * READY_MAX <= READY_SECONDS:
        return READY_MAX
    return max(1, int(READY_SECONDS / pace_seconds))
