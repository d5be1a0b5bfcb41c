"""The engine: every verb of the queue, over one store and one pool of workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.adopted import AdoptedJobs
from mcp_queue_plugin.engine.commits import Change, Committer
from mcp_queue_plugin.engine.dispatch import Dispatcher
from mcp_queue_plugin.engine.log_watch import LogWatchers
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.values import Answer, EngineEvents, EngineHealth, EngineOptions, Reply
from mcp_queue_plugin.engine.watch import Until, Watchers
from mcp_queue_plugin.errors import JobAlreadyExists, JobNotFound, JobStateInvalid, QueueError
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    Delete,
    Ending,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Start,
    Stop,
)
from mcp_queue_plugin.model.queries import JobPage, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.states import ENDED_STATES, State
from mcp_queue_plugin.store.protocol import Capabilities, JobStore
from mcp_queue_plugin.workers.protocol import Setup

logger = logging.getLogger(__name__)

STOP_WAIT_EXTRA_SECONDS = 2.0
STOP_WAIT_MAX_SECONDS = 15.0
DRAIN_MAX_SECONDS = 15.0


class Engine:
    """One async object, used from one loop. Verbs answer through callbacks, after the commit they need."""

    def __init__(self, store: JobStore, options: EngineOptions, events: EngineEvents, clock: Clock) -> None:
        """Build the engine over ``store``; nothing runs before ``open``."""
        self._store = store
        self._options = options
        self._events = events
        self._watchers = Watchers()
        self._log_watchers = LogWatchers()
        self._committer = Committer(store, on_committed=self._on_committed)
        self._adopted = AdoptedJobs(events, self._committer.submit)
        self._dispatcher = Dispatcher(
            store,
            self._committer,
            max_workers=options.max_concurrent_jobs,
            min_workers=options.min_workers,
            start_timeout_seconds=options.start_timeout_seconds,
            clock=clock,
            on_ready=events.on_ready,
        )

    async def open(self) -> Capabilities:
        """Open and recover the store.

        Raises:
            StoreError: the store cannot be used; see ``JobStore.open``.
        """
        recovered = await self._store.open()
        if recovered:
            logger.warning("Recovered %d jobs that were running when their server ended", len(recovered))
        self._committer.start()
        return self._store.capabilities

    def warm_up(self, setup: Setup) -> None:
        """Start workers that are set up by ``setup`` and begin to run jobs."""
        self._dispatcher.warm_up(setup)

    async def close(self, timeout_seconds: float) -> None:
        """End orderly: running jobs get ``timeout_seconds``, then go back to the queue; no process is left."""
        await self._dispatcher.close(timeout_seconds)
        await self._committer.drain(DRAIN_MAX_SECONDS)
        await self._committer.close()
        await self._store.close()

    async def abandon(self) -> None:
        """Let go of the store without an end for the jobs that run: the next owner recovers them."""
        await self._committer.close()
        await self._store.close()

    def submit(self, submission: Submission, params: bytes, *, start: bool, reply: Reply) -> None:
        """Store a job and, with ``start``, queue it in the same step."""
        self._change(Add(submission=submission, params=params, start=start), submission.job_id, reply)

    def start(self, job_id: str, *, reply: Reply) -> None:
        """Queue an added job. Starting a started job changes nothing."""
        self._change(Start(job_id), job_id, reply)

    def stop(self, job_id: str, *, reason: str, grace_seconds: float | None, reply: Reply) -> None:
        """Stop a job; the answer comes when it has let go, or after a while with the job still ``stopping``."""
        self._let_go(Stop(job_id, reason), "end", grace_seconds, reply)

    def delete(self, job_id: str, *, reason: str, grace_seconds: float | None, reply: Reply) -> None:
        """Delete a job; a running one is stopped first. The answer comes as with ``stop``."""
        self._let_go(Delete(job_id, reason), "deleted", grace_seconds, reply)

    def adopt(self, submission: Submission, params: bytes, description: str) -> None:
        """Keep the record of a job that runs in the server's own process."""
        self._adopted.adopt(Adopt(submission=submission, params=params, description=description))

    def end_adopted(self, job_id: str, ending: Ending, description: str) -> None:
        """Store the end of an adopted job; one that was never adopted is ignored."""
        self._adopted.end(job_id, ending, description)

    async def status(
        self,
        job_id: str,
        *,
        wait_seconds: float | None,
        until: Until,
        known_version: int | None,
        reply: Reply,
    ) -> None:
        """Answer a job's record, at once or when it is what ``until`` says, at the latest after ``wait_seconds``.

        Raises:
            JobNotFound: no such job.
        """
        job = await self._found(job_id)

        def on_over(over: Job | None, result: bytes | None) -> None:
            self._answer(job_id, over, result, reply)

        if wait_seconds is None:
            on_over(job, None)
        else:
            self._watchers.add(
                job, until=until, known_version=known_version, timeout_seconds=wait_seconds, callback=on_over
            )

    async def log(self, job_id: str, query: LogQuery, wait_seconds: float | None = None) -> LogPage:
        """One page of a job's log; an empty one only after ``wait_seconds``, or when the job writes no more.

        Raises:
            JobNotFound: no such job.
        """
        job = await self._found(job_id)
        if wait_seconds is None or job.state in ENDED_STATES:
            return await self._store.log_page(job.uid, query)
        # It watches before it reads: no line can slip in between.
        with self._log_watchers.watching(job_id, query.stream) as watch:
            page = await self._store.log_page(job.uid, query)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    while not page.entries and not watch.complete:
                        await watch.told()
                        query = msgspec.structs.replace(query, cursor=page.next_cursor)
                        page = await self._store.log_page(job.uid, query)
            return page

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of jobs."""
        return await self._store.list_jobs(query)

    async def health(self) -> EngineHealth:
        """Say how the queue is."""
        return EngineHealth(
            capabilities=self._store.capabilities,
            counts=await self._store.counts(),
            workers=self._dispatcher.pool.statistics(),
            max_concurrent_jobs=self._options.max_concurrent_jobs,
            waiting_calls=len(self._watchers) + len(self._log_watchers),
            oldest_queued_at=await self._store.oldest_queued_at(),
            issues=self._issues(),
        )

    async def _found(self, job_id: str) -> Job:
        await self._adopted.settled(job_id)
        job = await self._store.get(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def _issues(self) -> tuple[str, ...]:
        issues = []
        if self._committer.failure is not None:
            issues.append(f"the store does not take writes: {self._committer.failure.message}")
        if self._dispatcher.broken is not None:
            issues.append(f"workers do not start: {self._dispatcher.broken.message}")
        return tuple(issues)

    def _change(self, operation: Operation, job_id: str, reply: Reply) -> None:
        def on_outcome(outcome: Outcome | QueueError) -> None:
            reply(_answer_of(outcome, operation, job_id))

        self._committer.submit(operation, on_outcome)

    def _let_go(self, operation: Stop | Delete, until: Until, grace_seconds: float | None, reply: Reply) -> None:
        def on_outcome(outcome: Outcome | QueueError) -> None:
            answer = _answer_of(outcome, operation, operation.job_id)
            if isinstance(answer, Answer) and answer.job.state is State.STOPPING:
                self._make_let_go(answer.job, grace_seconds)
                spawn(self._answer_when_over(answer.job, until, grace_seconds, reply), name="let go")
            else:
                reply(answer)

        self._committer.submit(operation, on_outcome)

    def _make_let_go(self, job: Job, grace_seconds: float | None) -> None:
        if not self._adopted.stop(job):
            self._dispatcher.stop(job, grace_seconds)

    async def _answer_when_over(self, job: Job, until: Until, grace_seconds: float | None, reply: Reply) -> None:
        # Read again: the end of the job may have been committed together with the request to stop it.
        try:
            current = await self._store.get(job.job_id) or job
        except QueueError as error:
            reply(error)
            return
        grace = job.options.stop_grace_seconds if grace_seconds is None else grace_seconds
        self._watchers.add(
            current,
            until=until,
            known_version=None,
            timeout_seconds=min(grace + STOP_WAIT_EXTRA_SECONDS, STOP_WAIT_MAX_SECONDS),
            callback=lambda over, _: reply(Answer(over or current, timed_out=over is None)),
        )

    def _on_committed(self, changes: Sequence[Change]) -> None:
        self._dispatcher.on_committed(changes)
        for job, before, result, log in changes:
            self._watchers.notify(job, result)
            self._log_watchers.notify(job.job_id, log, complete=job.state in ENDED_STATES)
            if job.state in ENDED_STATES and before not in ENDED_STATES:
                self._events.on_ended(job)
            if job.state is State.STOPPED and job.delete_requested:
                self._committer.submit(Delete(job.job_id, job.reason or "deleted by request"))

    def _answer(self, job_id: str, job: Job | None, result: bytes | None, reply: Reply) -> None:
        """Answer with ``job``, or with the record as it stands when the wait ended without its reason."""
        if job is not None and (result is not None or not job.has_result):
            reply(Answer(job, result))
            return
        spawn(self._read_answer(job_id, job, reply), name="answer")

    async def _read_answer(self, job_id: str, job: Job | None, reply: Reply) -> None:
        try:
            found = job or await self._found(job_id)
            result = await self._store.result(found.uid) if found.has_result else None
        except QueueError as error:
            reply(error)
        else:
            reply(Answer(found, result, timed_out=job is None))


def _answer_of(outcome: Outcome | QueueError, operation: Operation, job_id: str) -> Answer | QueueError:
    match outcome:
        case Applied(job=job):
            return Answer(job)
        case Refused(refusal=Refusal.NOT_FOUND):
            return JobNotFound(job_id)
        case Refused(refusal=Refusal.ALREADY_EXISTS):
            return JobAlreadyExists(job_id)
        case Refused(job=Job() as job):
            action, allowed = _ACTIONS[type(operation)]
            return JobStateInvalid(
                job_id, action=action, current_status=job.status.value, allowed_statuses=list(allowed)
            )
        case QueueError():
            return outcome
    raise AssertionError(f"the store answered {operation!r} with {outcome!r}")


_ACTIONS: dict[type, tuple[str, tuple[str, ...]]] = {
    Start: ("start", ("pending",)),
    Stop: ("stop", ("pending", "running")),
}
