"""Jobs that run in the server's own process: recorded like all others, run by no worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from mcp_queue_plugin.errors import QueueError, StoreUnavailable
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import (
    Adopt,
    Applied,
    Changes,
    Ending,
    Finish,
    Operation,
    Outcome,
    OutcomeCallback,
)
from mcp_queue_plugin.model.states import RUNNING_STATES, State

RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class AdoptedEvents(Protocol):
    """Who can stop such a job."""

    def on_stop_adopted(self, job: Job) -> None:
        """Ask the server to stop it."""
        ...


class AdoptedJobs:
    """The adopted jobs that have not ended yet."""

    def __init__(self, events: AdoptedEvents, submit: Callable[[Operation, OutcomeCallback | None], None]) -> None:
        """Record through ``submit``; stop through ``events``."""
        self._events = events
        self._submit = submit
        self._jobs: dict[str, Job] = {}
        self._endings: dict[str, tuple[Ending, str]] = {}
        """Ends that were reported before the record of their job was committed."""
        self._adopting: dict[str, asyncio.Event] = {}
        """Set once the record is committed or refused, or had to be put off."""

    def restore(self, jobs: Iterable[Job | None]) -> None:
        """Take over those that run on in the server after the engine before this one was lost."""
        for job in jobs:
            if job is not None and job.runs_in_server and job.state in RUNNING_STATES:
                self._jobs[job.job_id] = job
                if job.state is State.STOPPING:
                    self._events.on_stop_adopted(job)

    def adopt(self, operation: Adopt) -> None:
        """Record a job that has just begun; one that is recorded already is passed over."""
        job_id = operation.submission.job_id
        if job_id in self._jobs or job_id in self._adopting:
            return
        self._adopting.setdefault(job_id, asyncio.Event())
        self._submit(operation, lambda outcome: self._on_adopted(operation, outcome))

    async def settled(self, job_id: str) -> None:
        """Wait until the record of ``job_id`` is committed, if it is being adopted: its id is already known.

        A store that takes no writes is not waited for.
        """
        adopting = self._adopting.get(job_id)
        if adopting is not None:
            await adopting.wait()

    def end(self, job_id: str, ending: Ending, description: str) -> None:
        """Record the end of a job; one that is not known any more (deleted, or never adopted) is passed over."""
        if job_id in self._adopting:
            self._endings[job_id] = (ending, description)
            return
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self._submit(Finish(token=job.token, ending=ending, changes=Changes(description=description)), None)

    def stop(self, job: Job) -> bool:
        """Ask the server to stop ``job``; False if it is no adopted one."""
        if job.job_id not in self._jobs:
            return False
        self._events.on_stop_adopted(job)
        return True

    def _on_adopted(self, operation: Adopt, outcome: Outcome | QueueError) -> None:
        job_id = operation.submission.job_id
        adopting = self._adopting.get(job_id)
        if adopting is not None:
            adopting.set()
        if isinstance(outcome, StoreUnavailable):
            # The job runs, and its client has the id: the record is made as soon as the store takes it.
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self.adopt, operation)
            return
        self._adopting.pop(job_id, None)
        ending = self._endings.pop(job_id, None)
        if isinstance(outcome, Applied):
            self._jobs[job_id] = outcome.job
        else:
            logger.error("Job %s of the server's own process could not be recorded: %s", job_id, outcome)
        if ending is not None:
            self.end(job_id, *ending)
