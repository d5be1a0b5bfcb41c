"""From the queue to the workers and back: runs jobs on free workers and turns what workers say into operations."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.crash_points import CrashPoint, reach
from mcp_queue_plugin.engine.commits import Change, Committer
from mcp_queue_plugin.engine.lanes import Lane, Lanes, demand_of, next_of
from mcp_queue_plugin.engine.lookahead import Queued
from mcp_queue_plugin.engine.loops import Soon
from mcp_queue_plugin.engine.questions import Questions
from mcp_queue_plugin.engine.read_ahead import ReadAhead
from mcp_queue_plugin.engine.reports import Reports
from mcp_queue_plugin.errors import QueueError, WorkerStartFailed
from mcp_queue_plugin.model.job import Job, Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import (
    Applied,
    Changes,
    Claim,
    Ending,
    EndingKind,
    Finish,
    Outcome,
    merged,
)
from mcp_queue_plugin.model.options import Isolation
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.workers.pool import WorkerPool
from mcp_queue_plugin.workers.protocol import Ready, Run, Setup

logger = logging.getLogger(__name__)

_jitter = random.Random().random  # noqa: S311 (it spreads retries and guards nothing)


class Dispatcher:
    """Keeps every free worker busy as long as a queue can start a job.

    A job begins as soon as a worker is free, and its claim joins the next group: if the engine dies in between, the job
    is still queued and runs again, as one that was claimed would. Where jobs are quick, the next ones lie ready in the
    workers; they are queued, and whatever is to happen to one takes it back first, until it begins. A job that must
    never run twice (``on_interrupt`` is ``fail``) begins after its claim is committed, and so does one whose stop is
    being committed: what is answered as stopped does not run. One that is evicted at the moment of its beginning has
    run for nothing, and is ended at once.
    """

    def __init__(
        self,
        committer: Committer,
        lanes: Lanes,
        claims: dict[int, Token],
        *,
        is_leaving: Callable[[Job], bool],
        max_workers: int,
        rules: WorkerRules,
        clock: Clock,
        on_ready: Callable[[Ready], None],
    ) -> None:
        """Run at most ``max_workers`` jobs of ``lanes`` at once; operations go to ``committer``.

        ``claims`` holds the claims by uid, and ``is_leaving`` knows the stops, that are not committed yet.
        """
        self._pool = WorkerPool(max_workers=max_workers, rules=rules, events=self, clock=clock)
        self._max_workers = max_workers
        self._lanes = lanes
        self._claims = claims
        self._is_leaving = is_leaving
        self._clock = clock
        self._running: dict[Token, Lane] = {}
        """The queues of the attempts under way."""
        self._given: dict[Token, Queued] = {}
        """The attempts that workers have and have not begun."""
        self._reserved: list[Isolation] = []
        """The isolation of each job that begins, on a worker that is free now, once its claim is committed."""
        self._opening: asyncio.TimerHandle | None = None
        """Set while a queue waits for nothing but time."""
        self._on_ready = on_ready
        self._committer = committer
        self._reports = Reports(committer.submit, self._pool.hold_log)
        self.questions = Questions(committer.submit, self._pool.answer)
        self._read_ahead = ReadAhead(lanes, claims, self.dispatch)
        self.dispatch_soon = Soon(self.dispatch)
        self._closing = False
        self.broken: WorkerStartFailed | None = None
        """Why the last worker did not start; None once one is ready."""

    @property
    def pool(self) -> WorkerPool:
        """The workers."""
        return self._pool

    def warm_up(self, setup: Setup) -> None:
        """Start workers of a new generation; from now on jobs are run."""
        self._pool.warm_up(setup)
        self.dispatch()

    def on_committed(self, changes: Sequence[Change]) -> None:
        """Take note of what has become queued, and of what is queued no more."""
        for change in changes:
            job = change.job
            if job.state is not State.QUEUED and (token := Token(job.uid, job.attempt + 1)) in self._given:
                # It was evicted: it goes back to its queue, and is forgotten there.
                self._pool.recall(token)
            self._lanes.on_change(job, change.params)

    def dispatch(self) -> None:
        """Give the free workers their next jobs, and ask for workers if there are too few."""
        if self._closing or self._committer.failure is not None:
            return
        now = time.monotonic()
        lanes = self._lanes.may_start(now)
        if any(lane.waiting.wants_more for lane in lanes):
            # Whose job goes first is known only when all heads are.
            self._read_ahead.begin()
            return
        while lanes and (found := self._next(lanes, now)) is not None:
            lane, fresh = found
            self._begin(lane, *lane.take(now, fresh=fresh))
            if not lane.free_slots(now) or not lane.waiting.may_have_jobs:
                lanes.remove(lane)
            elif lane.waiting.wants_more:
                self._read_ahead.begin()
                return
        if any(lane.waiting.runs_low for lane in lanes):
            self._read_ahead.begin()
        self._pool.demand(demand_of(lanes, now, most=self._max_workers))
        self._wait_for_opening(now)

    def stop(self, job: Job, grace_seconds: float | None) -> None:
        """Make the worker of a job that is ``stopping`` let go, by force after the grace time."""
        self._pool.stop(job.token, job.options.stop_grace_seconds if grace_seconds is None else grace_seconds)

    def recall(self, concerns: Callable[[Job], bool]) -> None:
        """Take those jobs back that lie ready: what is to happen to them must not race with their beginning."""
        for token in [token for token, (job, _) in self._given.items() if concerns(job)]:
            self._pool.recall(token)

    async def close(self, timeout_seconds: float) -> None:
        """Give running jobs ``timeout_seconds`` to end, then hand them back to the queue and end all workers."""
        self._closing = True
        if self._opening is not None:
            self._opening.cancel()
        for token in await self._pool.close(timeout_seconds):
            self._finish(token, Ending(kind=EndingKind.RELEASED), Changes())
        self._reports.flush()

    def on_idle(self) -> None:
        """Look for work: a worker is free, and so workers can start."""
        self.broken = None
        self.dispatch()

    def on_begun(self, token: Token) -> None:
        """Claim the job of an attempt that runs now."""
        if self._given.pop(token, None) is not None:
            # A short job's claim and end then share one commit.
            claim = Claim(token, begun_at=self._clock())
            self._committer.submit(claim, lambda outcome: self._on_claimed(token, outcome), patient=True)

    def on_recalled(self, tokens: Sequence[Token]) -> None:
        """Put the jobs of attempts that were taken back to where they stood; those that were claimed, by a commit."""
        for token in tokens:
            given = self._given.pop(token, None)
            if given is None:
                self._finish(token, Ending(kind=EndingKind.RECALLED), Changes())
                continue
            self._claim_is_over(token)
            self._forget(token)
            self._lanes.put_back(*given)
        # Not now: whoever has recalled them is not done yet.
        self.dispatch_soon()

    def on_progress(self, token: Token, changes: Changes) -> None:
        """Gather what an attempt reports."""
        self._reports.add_changes(token, changes)

    def on_asked(self, token: Token, question: Question) -> None:
        """Store what an attempt asks."""
        self.questions.ask(token, question, self._reports.take_changes(token))

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        """Gather what an attempt wrote."""
        self._reports.add_log(token, chunk)

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        """Store the end of an attempt."""
        self._finish(token, ending, changes)

    def on_ready(self, ready: Ready) -> None:
        """Tell what workers of this generation know."""
        self._on_ready(ready)

    def on_broken(self, error: WorkerStartFailed) -> None:
        """Note why a worker does not start; jobs stay queued meanwhile."""
        self.broken = error
        seen = (error.data[name] for name in ("traceback", "stderr_tail") if error.data.get(name))
        logger.error("A worker did not start: %s", "\n".join((error.message, *seen)))

    def _next(self, lanes: list[Lane], now: float) -> tuple[Lane, bool] | None:
        """Whose job goes first, and whether it may be one for a fresh worker; None if no worker can take it now."""
        if self._pool.free() > len(self._reserved):
            fresh = self._pool.free("fresh") > self._reserved.count("fresh")
            lane = next_of(lanes, now, fresh=fresh)
            return None if lane is None else (lane, fresh)
        if self._reserved or not self._pool.has_room:
            return None
        lane = next_of(lanes, now, fresh=False)
        job = None if lane is None else lane.first(now, fresh=False)
        if job is None or lane is None or lane.rule.paced or self._has_to_be_claimed_first(job):
            return None
        return lane, False

    def _begin(self, lane: Lane, job: Job, params: bytes) -> None:
        token = Token(job.uid, job.attempt + 1)
        self._claims[job.uid] = token
        self._running[token] = lane
        lane.running.add(token)
        if self._has_to_be_claimed_first(job):
            self._reserved.append(job.options.isolation)
            self._committer.submit(Claim(token), lambda outcome: self._on_claimed_first(job, params, token, outcome))
            return
        self._given[token] = (job, params)
        self._run(job, params, token)

    def _has_to_be_claimed_first(self, job: Job) -> bool:
        return job.options.on_interrupt == "fail" or self._is_leaving(job)

    def _run(self, job: Job, params: bytes, token: Token) -> None:
        run = Run(token=token, job_id=job.job_id, job_type=job.job_type, target=job.target, command=job.command)
        self._pool.run(run, params, job.options)
        reach(CrashPoint.RUN_SENT)

    def _on_claimed(self, token: Token, outcome: Outcome | QueueError) -> None:
        self._claim_is_over(token)
        if not isinstance(outcome, Applied):
            self._void(token)

    def _claim_is_over(self, token: Token) -> None:
        # The attempt may have ended in the same commit, and the next have begun before this is told.
        if self._claims.get(token.uid) == token:
            del self._claims[token.uid]

    def _void(self, token: Token) -> None:
        """Forget an attempt that was never claimed, and what it does: another one may come to have its token."""
        lane = self._running.get(token)
        if lane is not None:
            self._forget(token)
            self._pool.abandon(token)
            self._reports.end(token)
            self._lanes.read_again(lane)
            self.dispatch()

    def _forget(self, token: Token) -> None:
        self._running.pop(token).running.discard(token)

    def _on_claimed_first(self, job: Job, params: bytes, token: Token, outcome: Outcome | QueueError) -> None:
        self._claim_is_over(token)
        self._reserved.remove(job.options.isolation)
        if not isinstance(outcome, Applied):
            self._void(token)
        elif self._pool.free(job.options.isolation) == 0:
            self._finish(token, Ending(kind=EndingKind.RECALLED), Changes())
        else:
            self._run(job, params, token)

    def _finish(self, token: Token, ending: Ending, changes: Changes) -> None:
        gathered, log = self._reports.end(token)
        lane = self._running.pop(token)
        if lane.rule.paced:
            lane.ending.add(token)
        else:
            lane.running.discard(token)
        changes = merged(gathered, changes)
        finish = Finish(token=token, ending=ending, ended_at=self._clock(), jitter=_jitter(), changes=changes, log=log)
        self._committer.submit(finish, lambda outcome: self._on_finished(finish, lane, outcome))

    def _on_finished(self, finish: Finish, lane: Lane, outcome: Outcome | QueueError) -> None:
        if not isinstance(outcome, Applied):
            self._lanes.read_again(lane)
        elif finish.ending.kind is not EndingKind.RECALLED and outcome.queue is not None:
            lane.on_ended(outcome.queue, time.monotonic())
        if lane.rule.paced:
            # Only now is it known how long the queue has to wait.
            lane.ending.discard(finish.token)
            lane.running.discard(finish.token)
            self.dispatch()

    def _wait_for_opening(self, now: float) -> None:
        seconds = self._lanes.opens_in_seconds(now)
        if self._opening is not None:
            self._opening.cancel()
        self._opening = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.dispatch)
