"""Calls that are made later, for a worker whose main thread belongs to its job."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Alarm(NamedTuple):
    """A call and when it is due, by the monotonic clock; ``number`` sorts those that are due together."""

    due: float
    number: int
    call: Callable[[], None]


class Alarms:
    """A daemon thread, started by the first alarm, that makes each call when it is due."""

    def __init__(self) -> None:
        """No thread yet: most jobs never set an alarm."""
        self._changed = threading.Condition()
        self._waiting: list[Alarm] = []
        self._numbers = itertools.count()
        self._started = False

    def set(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Make ``call`` in ``seconds``; it has to be short, and must not raise."""
        alarm = Alarm(time.monotonic() + seconds, next(self._numbers), call)
        with self._changed:
            heapq.heappush(self._waiting, alarm)
            if self._waiting[0] is alarm:
                self._changed.notify()
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="alarms", daemon=True).start()
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Forget an alarm; one that has gone off, or is about to, is let be."""
        with self._changed:
            if alarm in self._waiting:
                self._waiting.remove(alarm)
                heapq.heapify(self._waiting)

    def _run(self) -> None:
        while True:
            self._next_due().call()

    def _next_due(self) -> Alarm:
        with self._changed:
            while True:
                wait = self._waiting[0].due - time.monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(wait)
