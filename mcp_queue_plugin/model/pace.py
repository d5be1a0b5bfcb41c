"""How often to look at a job: soon at first, seldom when it takes long."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES

POLL_MIN_SECONDS = 0.5
POLL_MAX_SECONDS = 10.0
POLL_SHARE_OF_AGE = 0.1


def poll_after_seconds(job: Job, now: float) -> float:
    """After how many seconds a client that polls should look again; 0 when there is nothing more to see."""
    if job.state in ENDED_STATES:
        return 0.0
    age_seconds = now - (job.started_at or job.created_at)
    return round(min(POLL_MAX_SECONDS, max(POLL_MIN_SECONDS, age_seconds * POLL_SHARE_OF_AGE)), 1)
