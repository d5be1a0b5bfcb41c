"""Who waits for a job: woken by its change, never by a clock that looks again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES, State

Until = Literal["change", "attention", "end", "stopped", "deleted"]
"""``attention`` stands for the end, or a question that somebody has to answer."""
WatchCallback = Callable[[Job | None, bytes | None], None]
"""Gets the record, None after a time-out, and the result document if the change itself brought it."""


def is_over(job: Job, until: Until, known_version: int) -> bool:
    """Whether ``job`` is what a waiter waits for; nothing more happens to one that has ended."""
    match until:
        case "deleted":
            return job.state is not State.STOPPING and not (job.state is State.STOPPED and job.delete_requested)
        case "stopped":
            return job.state is not State.STOPPING
        case "end":
            return job.state in ENDED_STATES
        case "attention":
            return job.state in ENDED_STATES or job.state is State.INPUT_REQUIRED
        case "change":
            return job.state in ENDED_STATES or job.version != known_version


class Watch:
    """One who waits."""

    __slots__ = ("_callback", "_job_id", "_timer", "_until", "_version", "_watchers")

    def __init__(self, watchers: Watchers, job: Job, until: Until, seconds: float, callback: WatchCallback) -> None:
        """Wait for something newer than ``job``; made by ``Watchers.add``."""
        self._watchers = watchers
        self._job_id = job.job_id
        self._version = job.version
        self._until: Until = until
        self._callback = callback
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def is_over(self, job: Job) -> bool:
        """Whether ``job`` is what is waited for. A commit may tell of older changes than the one that is known."""
        return job.version > self._version and is_over(job, self._until, self._version)

    def tell(self, job: Job | None, result: bytes | None) -> None:
        """End the wait, and say with what."""
        self.cancel()
        self._callback(job, result)

    def cancel(self) -> None:
        """End the wait; the callback is not called."""
        self._timer.cancel()
        self._watchers.discard(self._job_id, self)

    def _expire(self) -> None:
        self.tell(None, None)


class Watchers:
    """All who wait, by the public id of the job they wait for."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._watches: dict[str, dict[Watch, None]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(watches) for watches in self._watches.values())

    def add(
        self, job: Job, *, until: Until, known_version: int | None, timeout_seconds: float, callback: WatchCallback
    ) -> Watch | None:
        """Call ``callback`` with the record once it is what ``until`` says, or with None after the time.

        ``job`` is the committed record of this turn of the loop, so no change can slip between it and the waiting. None
        is answered when there is nothing to wait for, and the callback was called.
        """
        if is_over(job, until, job.version if known_version is None else known_version):
            callback(job, None)
            return None
        watch = Watch(self, job, until, timeout_seconds, callback)
        self._watches.setdefault(job.job_id, {})[watch] = None
        return watch

    def notify(self, job: Job, result: bytes | None) -> None:
        """Tell who waits for a job of its new record, in the order of their coming."""
        for watch in [watch for watch in self._watches.get(job.job_id, ()) if watch.is_over(job)]:
            watch.tell(job, result)

    def discard(self, job_id: str, watch: Watch) -> None:
        """Forget one who waits; one who does not wait any more is no matter."""
        watches = self._watches.get(job_id, {})
        watches.pop(watch, None)
        if not watches:
            self._watches.pop(job_id, None)
