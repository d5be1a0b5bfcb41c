"""Tells which workers have served long enough."""

from __future__ import annotations

from collections.abc import Collection

from mcp_queue_plugin.model.scaling import WorkerRules, recycling_pause_seconds
from mcp_queue_plugin.workers.process import Worker

_NEVER = float("inf")


class Recycling:
    """Looks at a worker after each of its jobs.

    By their jobs workers become due one after another, with a pause in between that keeps the cost low. One that holds
    too much memory is due at once.
    """

    def __init__(self, rules: WorkerRules) -> None:
        """Judge by ``rules``; the memory of workers is looked at only if they limit it."""
        self._after_jobs = _NEVER if rules.recycle_after_jobs is None else rules.recycle_after_jobs
        self._rss_limit = rules.recycle_rss_bytes
        self._not_before = 0.0

    def is_due(self, worker: Worker, due: Collection[Worker]) -> bool:
        """Whether a worker that has ended a job is to be replaced, and is not yet among those that are ``due``."""
        if worker.jobs_done >= self._after_jobs and not due and worker.idle_since >= self._not_before:
            return True
        return self._rss_limit is not None and worker not in due and worker.rss_bytes > self._rss_limit

    def replaced(self, successor: Worker, now: float) -> None:
        """Take note that ``successor`` has taken the place of a worker that was due."""
        self._not_before = now + recycling_pause_seconds(successor.start_seconds)
