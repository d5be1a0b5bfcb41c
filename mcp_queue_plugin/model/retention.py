"""How long what is over is kept, and how often to look."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Sweep
from mcp_queue_plugin.model.states import FINISHED_STATES, State

SWEEP_SHARE = 6
SWEEP_MIN_SECONDS = 1.0
SWEEP_MAX_SECONDS = 3600.0


def sweep_interval_seconds(retention_seconds: float) -> float:
    """How often to remove what is kept for so long: six times in it, at least hourly, at most once a second."""
    return max(SWEEP_MIN_SECONDS, min(SWEEP_MAX_SECONDS, retention_seconds / SWEEP_SHARE))


def over_since(job: Job) -> float | None:
    """When a job has ended, or its tombstone was set."""
    return job.deleted_at if job.state is State.DELETED else job.completed_at


def is_over(job: Job, sweep: Sweep, now: float) -> bool:
    """Whether ``sweep`` removes ``job``."""
    kind_matches = job.state is State.DELETED if sweep.tombstones else job.state in FINISHED_STATES
    since = over_since(job)
    return kind_matches and since is not None and since <= now - sweep.age_seconds
