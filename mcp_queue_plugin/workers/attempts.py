"""What a worker has been given: the attempt it runs, and behind it those that lie ready."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.ready_jobs import READY_SECONDS, UNKNOWN, pace_after, ready_jobs
from mcp_queue_plugin.workers.protocol import Run


class Given(NamedTuple):
    """An attempt, what of it was put into the worker's inbox, and for how long it may run and then let go."""

    run: Run
    packet: bytes
    timeout_seconds: float | None
    stop_grace_seconds: float


class Attempts:
    """The attempts of one worker in their order, and how many it may have: as many as it does in no time."""

    def __init__(self) -> None:
        """None yet."""
        self._given: deque[Given] = deque()
        self._pace_seconds = UNKNOWN
        self._most = ready_jobs(UNKNOWN)
        """How many it may have at this pace."""

    def __len__(self) -> int:
        """How many there are, the one that runs included."""
        return len(self._given)

    @property
    def running(self) -> Given | None:
        """The one that runs, or is about to."""
        return self._given[0] if self._given else None

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self._most - len(self._given)

    def add(self, given: Given) -> None:
        """Put one behind the others."""
        self._given.append(given)

    def end(self) -> Token:
        """Forget the one that runs, which has ended; the next is about to."""
        return self._given.popleft().run.token

    def note_pace(self, took_seconds: float) -> None:
        """Take note of how long one has run."""
        self._set_pace(pace_after(self._pace_seconds, took_seconds))

    def take_back(self, packets: list[bytes]) -> list[Token]:
        """Forget those of these packets, which were not begun, and answer them, the last first.

        Until a few have been quick again there is no room.
        """
        self._set_pace(max(self._pace_seconds, READY_SECONDS))
        taken, given = set(packets), self._given
        self._given = deque(attempt for attempt in given if attempt.packet not in taken)
        return [attempt.run.token for attempt in reversed(given) if attempt.packet in taken]

    def _set_pace(self, seconds: float) -> None:
        self._pace_seconds = seconds
        self._most = ready_jobs(seconds)
