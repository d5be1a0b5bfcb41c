"""Named queues: the rules they were given, the state they are in, and whether one may start a job now."""

from __future__ import annotations

import msgspec

from mcp_queue_plugin.allowed import Overflow

FIRST_AVERAGE_SECONDS = 60.0
"""What a job is expected to take before one has ended."""

BACKOFF_FROM_FAILURE = 2
BACKOFF_MAX_DOUBLINGS = 60
UNLIMITED = 1_000_000_000


class QueueRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of one queue; see ``settings.NamedQueueSettings`` for each field."""

    max_concurrent_jobs: int | None = None
    min_pause_seconds: float = 0.0
    backoff_base_seconds: float = 0.0
    backoff_max_seconds: float = 300.0
    max_queue_size: int | None = None
    overflow: Overflow = "evict_oldest"

    @property
    def paced(self) -> bool:
        """Whether the end of a job may delay the start of the next."""
        return self.min_pause_seconds > 0 or self.backoff_base_seconds > 0


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of one queue. Times are seconds since the epoch.

    ``processed_total`` counts the jobs that completed, ``failed_total`` those that ended with an error, also with one
    that a command returned; ``average_seconds`` is the moving average of how long attempts ran.
    """

    name: str
    paused: bool = False
    consecutive_failures: int = 0
    ended_at: float | None = None
    average_seconds: float = FIRST_AVERAGE_SECONDS
    processed_total: int = 0
    failed_total: int = 0


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as the store knows it: its state, and how many of its jobs are pending and running."""

    state: QueueState
    pending: int = 0
    running: int = 0


def backoff_seconds(rule: QueueRule, consecutive_failures: int) -> float:
    """How long the queue waits after so many failures in a row: nothing after the first, then doubling."""
    doublings = consecutive_failures - BACKOFF_FROM_FAILURE
    if doublings < 0:
        return 0.0
    return float(min(rule.backoff_base_seconds * 2 ** min(doublings, BACKOFF_MAX_DOUBLINGS), rule.backoff_max_seconds))


def opens_in_seconds(rule: QueueRule, state: QueueState, now: float) -> float:
    """How long the queue still has to wait after its last job, pause and backoff together; 0 when it may go on.

    An end in what is now the future, since the clock was set back, is no reason to wait: nobody knows for how long.
    """
    if state.ended_at is None or state.ended_at > now:
        return 0.0
    wait = rule.min_pause_seconds + backoff_seconds(rule, state.consecutive_failures)
    return max(0.0, wait - (now - state.ended_at))


def at_opening(state: QueueState, now: float) -> QueueState:
    """The state that a store goes on with when it is opened: a wait that began in the future begins now."""
    if state.ended_at is None or state.ended_at <= now:
        return state
    return msgspec.structs.replace(state, ended_at=now)


def free_slots(rule: QueueRule, state: QueueState, running: int, now: float) -> int:
    """How many jobs of the queue may start now, when ``running`` have begun and not ended."""
    if state.paused or opens_in_seconds(rule, state, now) > 0:
        return 0
    most = UNLIMITED if rule.max_concurrent_jobs is None else rule.max_concurrent_jobs
    return max(0, most - running)
