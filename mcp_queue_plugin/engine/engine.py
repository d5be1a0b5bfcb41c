"""The engine: every verb of the queue, over one store and one pool of workers."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.adopted import AdoptedJobs
from mcp_queue_plugin.engine.answers import answer_of
from mcp_queue_plugin.engine.commits import Change, Committer
from mcp_queue_plugin.engine.dispatch import Dispatcher
from mcp_queue_plugin.engine.lanes import Lanes
from mcp_queue_plugin.engine.places import Places
from mcp_queue_plugin.engine.reading import Outline, Reading
from mcp_queue_plugin.engine.report import queue_reports
from mcp_queue_plugin.engine.stopping import Leaving, Stopping, leavings
from mcp_queue_plugin.engine.timed import Retention, Scheduler
from mcp_queue_plugin.engine.values import Answer, EngineEvents, EngineHealth, EngineOptions, QueueReport, Reply
from mcp_queue_plugin.errors import InvalidParameters, QueueError, QueueFull
from mcp_queue_plugin.model.admission import Limit, limits_of
from mcp_queue_plugin.model.estimate import retry_after_seconds
from mcp_queue_plugin.model.job import Job, Submission, Token
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    AnswerQuestion,
    Delete,
    Ending,
    Operation,
    Outcome,
    Retry,
    SetQueue,
    Start,
    Stop,
)
from mcp_queue_plugin.model.states import ENDED_STATES, State
from mcp_queue_plugin.store.protocol import Capabilities, JobStore
from mcp_queue_plugin.workers.protocol import Setup

logger = logging.getLogger(__name__)

DRAIN_MAX_SECONDS = 15.0


class Engine:
    """One async object, used from one loop. Verbs answer through callbacks, after the commit they need."""

    def __init__(self, store: JobStore, options: EngineOptions, events: EngineEvents, clock: Clock) -> None:
        """Build the engine over ``store``; nothing runs before ``open``."""
        self._store = store
        self._options = options
        self._events = events
        self._clock = clock
        self._committer = Committer(
            store, on_committed=self._on_committed, on_change=self._on_change, on_told=self._on_told
        )
        self._adopted = AdoptedJobs(events, self._committer.submit)
        claims: dict[int, Token] = {}

        def is_claimed(job: Job) -> bool:
            # One of an earlier attempt may not have been told of yet, though the job is queued again.
            token = claims.get(job.uid)
            return token is not None and token.attempt > job.attempt

        leaving: Counter[Leaving] = Counter()
        self._lanes = Lanes(store, options.queues, slots=options.max_concurrent_jobs, is_claimed=is_claimed)
        self._dispatcher = Dispatcher(
            self._committer,
            self._lanes,
            claims,
            is_leaving=lambda job: bool(leaving) and not leaving.keys().isdisjoint(leavings(job)),
            max_workers=options.max_concurrent_jobs,
            rules=options.workers,
            clock=clock,
            on_ready=events.on_ready,
        )
        self._scheduler = Scheduler(store, self._committer.submit, clock)
        self._retentions = [
            Retention(self._committer.submit, tombstones=tombstones, age_seconds=age_seconds)
            for tombstones, age_seconds in ((False, options.retention_seconds), (True, options.tombstone_seconds))
            if tombstones or age_seconds
        ]
        self.reading = Reading(store, self._adopted, Places(store, self._lanes, clock))
        """The verbs that look and wait."""
        self._stopping = Stopping(self._committer.submit, self._adopted, self._dispatcher, self.reading, leaving)

    async def open(self, in_process: Collection[str] = ()) -> Capabilities:
        """Open and recover the store. The jobs ``in_process`` run on in the server, which has lost another engine.

        Raises:
            StoreError: the store cannot be used; see ``JobStore.open``.
        """
        recovered = await self._store.open(in_process)
        interrupted = sum(job.state is not State.SCHEDULED for job in recovered)
        if interrupted:
            logger.warning("Recovered %d jobs that were running when their server ended", interrupted)
        for job in recovered:
            if job.state in ENDED_STATES:
                self._events.on_ended(job)
        self._adopted.restore([await self._store.get(job_id) for job_id in in_process])
        await self._lanes.open(self._clock(), time.monotonic())
        await self._scheduler.open()
        self._committer.start()
        for retention in self._retentions:
            retention.open()
        return self._store.capabilities

    def warm_up(self, setup: Setup) -> None:
        """Start workers that are set up by ``setup`` and begin to run jobs."""
        self._dispatcher.warm_up(setup)

    async def close(self, timeout_seconds: float) -> None:
        """End orderly: running jobs get ``timeout_seconds``, then go back to the queue; no process is left."""
        self._stop_timers()
        await self._dispatcher.close(timeout_seconds)
        await self._committer.drain(DRAIN_MAX_SECONDS)
        await self._committer.close()
        await self._store.close()

    async def abandon(self) -> None:
        """Let go of the store without an end for the jobs that run: the next owner recovers them."""
        self._stop_timers()
        await self._committer.close()
        await self._store.close()

    def submit(self, submission: Submission, params: bytes, *, start: bool, reply: Reply) -> None:
        """Store a job and, with ``start``, queue it in the same step."""
        add = Add(submission=submission, params=params, start=start, limits=self._limits_of(submission))
        self._change(add, submission.job_id, self._telling_when_to_return(submission, reply))

    def start(self, job_id: str, *, owner: str | None = None, reply: Reply) -> None:
        """Queue an added job. Starting a started job changes nothing.

        With ``owner``, here and below, only a job that is theirs: to them no other exists.
        """
        self._change(Start(job_id, owner), job_id, reply)

    async def retry(self, job_id: str, *, owner: str | None = None, reply: Reply) -> None:
        """Queue a job again that has failed or was stopped.

        Raises:
            JobNotFound: no such job.
        """
        job = await self.reading.found(job_id, owner)
        retry = Retry(job_id=job_id, limits=self._limits_of(job), owner=owner)
        self._change(retry, job_id, self._telling_when_to_return(job, reply))

    def answer(self, operation: AnswerQuestion, *, reply: Reply) -> None:
        """Answer an open question of a job; the first answer stands, a later one changes nothing."""
        self._dispatcher.questions.answer(
            operation, lambda outcome: reply(answer_of(outcome, operation, operation.job_id))
        )

    async def set_queue(self, name: str, *, paused: bool) -> QueueReport:
        """Pause or resume a queue, after the commit; what runs of it runs on.

        Raises:
            InvalidParameters: there is no such queue.
            StoreUnavailable: the commit failed.
        """
        if name not in self._lanes:
            known = sorted(lane.state.name for lane in self._lanes)
            raise InvalidParameters(
                f"there is no queue {name!r}; there are: {', '.join(known)}",
                field="queue",
                violation="value",
                expected=known,
                got=name,
            )
        await self._committer.committed(SetQueue(name, paused))
        self._lanes.of(name).on_paused(paused=paused)
        if paused:
            self._dispatcher.recall(lambda job: job.options.queue == name)
        self._dispatcher.dispatch()
        return next(report for report in await self._queue_reports() if report.name == name)

    def stop(
        self,
        job_id: str,
        *,
        reason: str,
        grace_seconds: float | None,
        wait_seconds: float | None = None,
        owner: str | None = None,
        reply: Reply,
    ) -> None:
        """Stop a job; one that runs gets ``grace_seconds`` (by default its own) to let go, then it is ended by force.

        The answer comes when it has let go, or after ``wait_seconds`` at most with the job still ``stopping``.
        """
        stop = Stop(job_id, reason, owner)
        self._stopping.ask(stop, grace_seconds=grace_seconds, wait_seconds=wait_seconds, reply=reply)

    def delete(
        self,
        job_id: str,
        *,
        reason: str,
        grace_seconds: float | None,
        wait_seconds: float | None = None,
        owner: str | None = None,
        reply: Reply,
    ) -> None:
        """Delete a job; a running one is stopped first. The answer comes as with ``stop``."""
        delete = Delete(job_id, reason, owner=owner)
        self._stopping.ask(delete, grace_seconds=grace_seconds, wait_seconds=wait_seconds, reply=reply)

    def adopt(self, submission: Submission, params: bytes, description: str) -> None:
        """Keep the record of a job that runs in the server's own process."""
        self._adopted.adopt(Adopt(submission=submission, params=params, description=description))

    def end_adopted(self, job_id: str, ending: Ending, description: str) -> None:
        """Store the end of an adopted job; one that was never adopted is ignored."""
        self._adopted.end(job_id, ending, description)

    async def health(self) -> EngineHealth:
        """Say how the queue is."""
        outline = await self.reading.outline()
        return EngineHealth(
            capabilities=self._store.capabilities,
            counts=outline.counts,
            workers=self._dispatcher.pool.statistics(),
            max_concurrent_jobs=self._options.max_concurrent_jobs,
            queues=await self._queue_reports(),
            waiting_calls=self.reading.waiting_calls,
            oldest_queued_at=outline.oldest_queued_at,
            jobs_ready=any(lane.waiting.first() is not None for lane in self._lanes.may_start(time.monotonic())),
            now=self._clock(),
            issues=self._issues(outline),
        )

    async def _queue_reports(self) -> tuple[QueueReport, ...]:
        workers = self._dispatcher.broken is None
        return queue_reports(self._lanes, await self._store.queues(), time.monotonic(), workers=workers)

    def _issues(self, outline: Outline) -> tuple[str, ...]:
        issues = []
        if outline.failure is not None:
            issues.append(outline.failure.message)
        if self._committer.failure is not None:
            issues.append(f"the store does not take writes: {self._committer.failure.message}")
        if self._dispatcher.broken is not None:
            issues.append(f"workers do not start: {self._dispatcher.broken.message}")
        return tuple(issues)

    def _limits_of(self, job: Submission | Job) -> tuple[Limit, ...]:
        return limits_of(job, self._options.limits, self._lanes.of(job.options.queue).rule)

    def _telling_when_to_return(self, job: Submission | Job, reply: Reply) -> Reply:
        """A reply that says to whom a queue is full when to try again."""

        def reply_with_time(answer: Answer | QueueError) -> None:
            if isinstance(answer, QueueFull):
                outlook = self._lanes.outlook(job.options.queue, time.monotonic())
                answer.data["retry_after_seconds"] = retry_after_seconds(outlook)
            reply(answer)

        return reply_with_time

    def _stop_timers(self) -> None:
        self._scheduler.close()
        for retention in self._retentions:
            retention.close()

    def _change(self, operation: Operation, job_id: str, reply: Reply) -> None:
        def on_outcome(outcome: Outcome | QueueError) -> None:
            reply(answer_of(outcome, operation, job_id))

        self._committer.submit(operation, on_outcome)

    def _on_committed(self, changes: Sequence[Change]) -> None:
        self._dispatcher.on_committed(changes)

    async def _on_told(self) -> None:
        await self.reading.tell_places()
        # Behind the answers: who has them goes on while the jobs begin.
        self._dispatcher.dispatch_soon()

    def _on_change(self, change: Change) -> None:
        self._scheduler.on_change(change.job)
        self.reading.on_committed(change)
        if change.job.state in ENDED_STATES and change.before not in ENDED_STATES:
            self._events.on_ended(change.job)
        self._stopping.on_change(change)
