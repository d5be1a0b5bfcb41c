"""The records that were written last, kept at hand: a job is mostly asked for soon after it has changed."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import State

RECENT_JOBS = 1_024


class Recent:
    """Some of the records that are committed, each as it is now; those written longest ago are forgotten first."""

    def __init__(self, max_jobs: int) -> None:
        """Keep up to ``max_jobs``."""
        self._max_jobs = max_jobs
        self._jobs: dict[int, Job] = {}
        self._living: dict[str, int] = {}
        """The uids of those that are no tombstones, by their public ids."""

    def at(self, uid: int) -> Job | None:
        """The record with this uid, if it is kept."""
        return self._jobs.get(uid)

    def living(self, job_id: str) -> Job | None:
        """The record that a public id names, if it is kept and no tombstone."""
        uid = self._living.get(job_id)
        return None if uid is None else self._jobs[uid]

    def keep(self, job: Job) -> None:
        """Keep the newest version of a record."""
        self.forget(job.uid)
        self._jobs[job.uid] = job
        if job.state is not State.DELETED:
            self._living[job.job_id] = job.uid
        if len(self._jobs) > self._max_jobs:
            self.forget(next(iter(self._jobs)))

    def forget(self, uid: int) -> None:
        """Keep no record with this uid."""
        job = self._jobs.pop(uid, None)
        if job is not None and self._living.get(job.job_id) == uid:
            del self._living[job.job_id]
