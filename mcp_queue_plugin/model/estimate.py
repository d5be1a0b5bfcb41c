"""How long a job is going to wait: an honest guess from what its queue has seen."""

from __future__ import annotations

import math

import msgspec

RETRY_AFTER_MIN_SECONDS = 1


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pending job stands: its position in its queue, from 1, and how long it is expected to wait.

    Of a paused queue the wait is what it would be if the queue were resumed now.
    """

    position: int
    estimated_wait_seconds: float
    is_paused: bool = False
    """Whether its queue is paused."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a wait in one queue depends on.

    ``slots`` is how many of its jobs can run at once, ``free`` how many of those are free; ``cycle_seconds`` is how
    long a slot is expected to be taken by one job, the pause after it included; ``opens_in_seconds`` how long the
    queue still waits after its last job.
    """

    slots: int
    free: int
    cycle_seconds: float
    opens_in_seconds: float
    is_paused: bool = False


def estimated_wait_seconds(position: int, outlook: Outlook, due_in_seconds: float = 0.0) -> float:
    """The expected wait of the job at ``position``, from 1; no shorter than until it is due."""
    behind = max(0, position - outlook.free)
    rounds = math.ceil(behind / outlook.slots)
    return round(max(due_in_seconds, outlook.opens_in_seconds + rounds * outlook.cycle_seconds), 1)


def remaining_seconds(progress: int, since_start_seconds: float) -> float | None:
    """How much longer a running job is expected to take, if it goes on as it has; None if nobody can tell."""
    if not 0 < progress < 100 or since_start_seconds <= 0:
        return None
    return round(since_start_seconds * (100 - progress) / progress, 1)


def retry_after_seconds(outlook: Outlook) -> int:
    """After how many seconds a queue that is full is expected to have lost one job."""
    return max(RETRY_AFTER_MIN_SECONDS, math.ceil(outlook.opens_in_seconds + outlook.cycle_seconds / outlook.slots))
