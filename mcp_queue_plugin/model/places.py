"""A job's place in its queue: higher priority first, then the earlier start; and no job waits for ever."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State

AGING_SECONDS = 600.0
"""How much longer a job has to have waited to count as one priority higher.

The order of two waiting jobs then never changes with time, so that it can be an index: both age alike.
"""


LAST = 2**62
"""Behind every ``order``."""


def rank(options: JobOptions, waiting_since: float) -> float:
    """Where a job stands that has waited since then; smaller goes first."""
    return waiting_since - options.priority * AGING_SECONDS


def due_at(options: JobOptions, now: float) -> float:
    """When a job that is started now may run: now, if it asks for no other time."""
    return now + options.delay_seconds if options.run_at is None else max(now, options.run_at)


def place_of(job: Job, rank_time: float) -> tuple[float, int]:
    """The place of a pending job; of one that is not queued yet, the place it would have if it were queued now."""
    return job.place if job.state is State.QUEUED else (rank(job.options, rank_time), LAST)
