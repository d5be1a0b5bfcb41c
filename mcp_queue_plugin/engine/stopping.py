"""Stop and delete: how a job is made to let go, and when who asked for it is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from mcp_queue_plugin.engine.adopted import AdoptedJobs
from mcp_queue_plugin.engine.answers import answer_of
from mcp_queue_plugin.engine.commits import Change
from mcp_queue_plugin.engine.dispatch import Dispatcher
from mcp_queue_plugin.engine.reading import Reading
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.values import Answer, Reply
from mcp_queue_plugin.engine.watch import Until
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.admission import EVICTED
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Delete, Operation, Outcome, OutcomeCallback, Stop
from mcp_queue_plugin.model.states import State

WAIT_EXTRA_SECONDS = 2.0
"""Beyond the grace time of a job: for ending its worker and for the commit."""

WAIT_MAX_SECONDS = 15.0
FAILURE_PAUSE_SECONDS = 1.0


class Leaving(NamedTuple):
    """A public id, and the owner to whom its job has to belong; None for any."""

    job_id: str
    owner: str | None


class Stopping:
    """Carries out stops and deletions, and sees to it that evicted jobs let go.

    Nobody is asked to let go before the stop is committed, so it cannot be forgotten. The deletion of a running job is
    a stop, followed by the deletion in a commit of its own: who waits for the job learns that it was stopped.
    """

    def __init__(
        self,
        submit: Callable[[Operation, OutcomeCallback | None], None],
        adopted: AdoptedJobs,
        dispatcher: Dispatcher,
        reading: Reading,
        leaving: Counter[Leaving],
    ) -> None:
        """Commit through ``submit``; ``adopted`` and ``dispatcher`` know who runs a job, ``reading`` who waits for it.

        ``leaving`` tells others what is asked to stop or deleted by a commit that is still to come.
        """
        self._submit = submit
        self._adopted = adopted
        self._dispatcher = dispatcher
        self._reading = reading
        self._leaving = leaving

    def ask(
        self, operation: Stop | Delete, *, grace_seconds: float | None, wait_seconds: float | None, reply: Reply
    ) -> None:
        """Stop or delete a job; the answer comes when it has let go, or after a while with it still ``stopping``."""
        job_id = operation.job_id
        leaving = Leaving(job_id, operation.owner)
        self._leaving[leaving] += 1
        self._dispatcher.recall(lambda job: job.job_id == job_id and job.is_visible_to(operation.owner))

        def on_outcome(outcome: Outcome | QueueError) -> None:
            self._leaving[leaving] -= 1
            if not self._leaving[leaving]:
                del self._leaving[leaving]
            answer = answer_of(outcome, operation, job_id)
            if isinstance(answer, Answer) and answer.job.state is State.STOPPING:
                self._make_let_go(answer.job, grace_seconds)
                seconds = _patience_seconds(answer.job, grace_seconds, wait_seconds)
                spawn(self._answer_when_over(operation, seconds, reply), name="let go")
            else:
                reply(answer)

        self._submit(operation, on_outcome)

    def on_change(self, change: Change) -> None:
        """Go on with what a commit has begun."""
        job = change.job
        if job.state is State.STOPPED and job.delete_requested:
            self._delete_stopped(job)
        elif job.state is State.STOPPING and job.reason == EVICTED and change.before is not State.STOPPING:
            # After the callbacks of the same commit: of its claim or adoption they may learn only now who runs it.
            asyncio.get_running_loop().call_soon(self._make_let_go, job, None)

    def _make_let_go(self, job: Job, grace_seconds: float | None) -> None:
        if not self._adopted.stop(job):
            self._dispatcher.stop(job, grace_seconds)

    def _delete_stopped(self, job: Job) -> None:
        def on_outcome(outcome: Outcome | QueueError) -> None:
            if isinstance(outcome, QueueError):
                asyncio.get_running_loop().call_later(FAILURE_PAUSE_SECONDS, self._delete_stopped, job)

        self._submit(Delete(job.job_id, job.reason or "deleted by request", job.uid), on_outcome)

    async def _answer_when_over(self, operation: Stop | Delete, seconds: float, reply: Reply) -> None:
        # The record is read again: the end of the job may have been committed together with the request to stop it.
        until: Until = "deleted" if isinstance(operation, Delete) else "stopped"
        try:
            await self._reading.status(
                operation.job_id,
                owner=operation.owner,
                wait_seconds=seconds,
                until=until,
                known_version=None,
                reply=reply,
            )
        except QueueError as error:
            reply(error)


def leavings(job: Job) -> tuple[Leaving, Leaving]:
    """What concerns ``job``: it was asked for by its owner, or by who may see all."""
    return Leaving(job.job_id, None), Leaving(job.job_id, job.owner)


def _patience_seconds(job: Job, grace_seconds: float | None, wait_seconds: float | None) -> float:
    """How long a caller waits for a job that has to let go."""
    grace = job.options.stop_grace_seconds if grace_seconds is None else grace_seconds
    longest = WAIT_MAX_SECONDS if wait_seconds is None else min(wait_seconds, WAIT_MAX_SECONDS)
    return min(grace + WAIT_EXTRA_SECONDS, longest)
