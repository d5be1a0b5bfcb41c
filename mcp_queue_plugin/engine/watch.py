"""Who waits for a job: woken by its change, never by a clock that looks again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES, State

Until = Literal["change", "end", "deleted"]
WatchCallback = Callable[[Job | None, bytes | None], None]
"""Gets the record, None after a time-out, and the result document if the change itself brought it."""


def is_over(job: Job, until: Until, known_version: int | None) -> bool:
    """Whether ``job`` is what a waiter waits for; nothing more happens to one that has ended."""
    match until:
        case "deleted":
            return job.state is State.DELETED or (job.state in ENDED_STATES and not job.delete_requested)
        case "end":
            return job.state in ENDED_STATES
        case "change":
            return job.state in ENDED_STATES or (known_version is not None and job.version != known_version)


class _Watch:
    __slots__ = ("callback", "known_version", "timer", "until")

    def __init__(self, until: Until, known_version: int | None, callback: WatchCallback) -> None:
        self.until = until
        self.known_version = known_version
        self.callback = callback
        self.timer: asyncio.TimerHandle | None = None


class Watchers:
    """All waiters, by the public id of the job they wait for."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._watches: dict[str, list[_Watch]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(watches) for watches in self._watches.values())

    def add(
        self, job: Job, *, until: Until, known_version: int | None, timeout_seconds: float, callback: WatchCallback
    ) -> None:
        """Call ``callback`` with the record once it is what ``until`` says, or with None after the time.

        ``job`` is the committed record of this turn of the loop, so no change can slip between it and the waiting.
        """
        version = job.version if known_version is None else known_version
        if is_over(job, until, version):
            callback(job, None)
            return
        watch = _Watch(until, version, callback)
        watch.timer = asyncio.get_running_loop().call_later(timeout_seconds, self._expire, job.job_id, watch)
        self._watches.setdefault(job.job_id, []).append(watch)

    def notify(self, job: Job, result: bytes | None) -> None:
        """Tell the waiters of a job of its new record."""
        watches = self._watches.get(job.job_id)
        if watches is None:
            return
        over = [watch for watch in watches if is_over(job, watch.until, watch.known_version)]
        for watch in over:
            self._remove(job.job_id, watch)
            watch.callback(job, result)

    def _expire(self, job_id: str, watch: _Watch) -> None:
        self._remove(job_id, watch)
        watch.callback(None, None)

    def _remove(self, job_id: str, watch: _Watch) -> None:
        if watch.timer is not None:
            watch.timer.cancel()
        watches = self._watches[job_id]
        watches.remove(watch)
        if not watches:
            del self._watches[job_id]
