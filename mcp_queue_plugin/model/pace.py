"""How often to look at a job: soon at first, seldom when it takes long, and when its time has come."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES, State

POLL_MIN_SECONDS = 0.5
POLL_MAX_SECONDS = 10.0
POLL_SHARE_OF_AGE = 0.1
SCHEDULED_POLL_MAX_SECONDS = 60.0
"""For a job that waits for its time: until then only a stop can change it."""


def poll_after_seconds(job: Job, now: float) -> float:
    """After how many seconds a client that polls should look again; 0 when there is nothing more to see."""
    if job.state in ENDED_STATES:
        return 0.0
    if job.state is State.SCHEDULED and job.not_before is not None:
        return _within_bounds(job.not_before - now, SCHEDULED_POLL_MAX_SECONDS)
    age_seconds = now - (job.started_at or job.created_at)
    return _within_bounds(age_seconds * POLL_SHARE_OF_AGE, POLL_MAX_SECONDS)


def _within_bounds(seconds: float, most: float) -> float:
    return round(min(most, max(POLL_MIN_SECONDS, seconds)), 1)
