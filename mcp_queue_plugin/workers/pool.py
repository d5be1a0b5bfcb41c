"""The warm pool: workers of one generation, started as they are needed and replaced when they go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending
from mcp_queue_plugin.model.options import Isolation, JobOptions
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.scaling import Demand, Limits, Machine, WorkerRules
from mcp_queue_plugin.workers import host
from mcp_queue_plugin.workers.events import PoolEvents
from mcp_queue_plugin.workers.hurry import Hurry
from mcp_queue_plugin.workers.members import Members
from mcp_queue_plugin.workers.owner import WorkerState
from mcp_queue_plugin.workers.process import Worker
from mcp_queue_plugin.workers.protocol import Ready, Run, Setup
from mcp_queue_plugin.workers.scaler import Scaler
from mcp_queue_plugin.workers.spawn import WORKER_COMMAND
from mcp_queue_plugin.workers.starter import Starter
from mcp_queue_plugin.workers.statistics import Observer, Tally, WorkerStatistics
from mcp_queue_plugin.workers.sweeper import Sweeper

_KILL_SECONDS = 5.0


class WorkerPool:
    """Keeps workers warm and gives them jobs. Lives on one loop, on the thread that made it.

    Never more than ``max_workers`` jobs run at once. There may be one process more than that: a successor, which
    becomes ready before the worker whose place it takes leaves.

    In a process that is a subreaper (``orphans.become_subreaper``) the pool owns all child processes: whatever is no
    worker of its was left behind by one, and is killed when a worker ends.
    """

    def __init__(
        self,
        *,
        max_workers: int,
        rules: WorkerRules,
        events: PoolEvents,
        clock: Clock,
        machine: Callable[[], Machine] = host.machine,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        """A pool without workers: ``warm_up`` starts the first. ``command`` is what a worker's process executes."""
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._announced = False
        self._members = Members()
        self._tally = Tally()
        self._starter = Starter(
            self,
            rules,
            clock=clock,
            command=command,
            tally=self._tally,
            on_failed=events.on_broken,
            try_again=lambda: self._scaler.adjust(),
        )
        self._scaler = Scaler(
            self._members,
            self._starter,
            Limits(max_workers, rules.min_workers, max_starting=host.cores()),
            rules,
            tally=self._tally,
            machine=machine,
            on_free=events.on_idle,
        )
        self._hurry = Hurry()
        self._sweeper = Sweeper(self._pids)
        self._observer = Observer(host.vitals)

    def free(self, isolation: Isolation = "warm") -> int:
        """How many jobs of this isolation can be run now. A free worker may be counted under both."""
        return self._members.free(isolation)

    @property
    def has_room(self) -> bool:
        """Whether one more warm job can lie ready behind quick ones, though no worker is free."""
        return self._roomiest() is not None

    def warm_up(self, setup: Setup) -> None:
        """Start ``min_workers`` workers of the generation that ``setup`` describes.

        Workers of another generation retire: the idle and the starting at once, the busy after their job.
        """
        if setup == self._starter.setup:
            return
        self._starter.setup = setup
        self._starter.succeeded()
        self._announced = False
        self._dismiss_free_workers()
        self._scaler.adjust()

    def demand(self, demand: Demand) -> None:
        """Say how many jobs wait that could run if there were a worker for them.

        The pool grows towards that, a few processes at a time, and replaces used workers where only fresh ones will do.
        """
        self._scaler.demand(demand)

    def run(self, run: Run, params: bytes, options: JobOptions) -> None:
        """Run an attempt on the most recently used worker that its isolation allows, or after others on a quick one.

        Either ``free`` must not be 0 for it, or it is a warm one and the pool ``has_room``.

        Raises:
            ProtocolViolation: the attempt does not fit into a frame; nothing has happened.

        """
        members = self._members
        quick = self._roomiest() if members.free(options.isolation) == 0 else None
        worker = quick or members.candidates(options.isolation)[-1]
        timeout_seconds, grace_seconds = options.timeout_seconds, options.stop_grace_seconds
        worker.assignments.run(run, params, timeout_seconds=timeout_seconds, stop_grace_seconds=grace_seconds)
        members.attempts[run.token] = worker
        self._scaler.served(options.isolation)
        if quick is not None:
            self._hurry.watch(worker)
            return
        members.candidates(options.isolation).pop()
        members.busy.add(worker)
        if options.isolation == "fresh":
            members.parting.add(worker)

    def recall(self, token: Token) -> None:
        """Take an attempt back if it has not begun, and with it others in its place; else it has, and was told so."""
        worker = self._members.attempts.get(token)
        if worker is not None:
            worker.assignments.recall()

    def stop(self, token: Token, grace_seconds: float) -> None:
        """Ask an attempt to let go; when ``grace_seconds`` have passed, end its worker with all it has started.

        It is then reported as stopped. An attempt that does not run here any more is ignored.
        """
        worker = self._members.attempts.get(token)
        if worker is not None:
            worker.assignments.stop(token, grace_seconds)

    def abandon(self, token: Token) -> None:
        """End the worker of an attempt by force, with all it has started, and report nothing more of the attempt."""
        worker = self._members.attempts.pop(token, None)
        if worker is not None:
            worker.assignments.abandon(token)

    def answer(self, token: Token, key: str, answer: GivenAnswer) -> None:
        """Tell an attempt what was answered to its question; one that does not run here any more is ignored."""
        worker = self._members.attempts.get(token)
        if worker is not None:
            worker.assignments.answer(token, key, answer)

    def hold_log(self, token: Token, held: bool) -> None:
        """Leave what an attempt writes unread, so that it has to wait; or, with False, read on.

        An attempt that does not run here any more is ignored.
        """
        worker = self._members.attempts.get(token)
        if worker is not None:
            worker.assignments.hold_log(token, held)

    def statistics(self) -> WorkerStatistics:
        """The pool in numbers, and a look at each of its processes."""
        members, tally = self._members, self._tally
        census = members.census()
        return WorkerStatistics(
            started=tally.started,
            idle=census.unused + census.used,
            busy=census.busy + census.parting,
            starting=census.starting + census.successor,
            crashed_total=tally.crashed,
            recycled_total=tally.recycled,
            idle_ended_total=tally.idle_ended,
            held_back_by=self._scaler.held_back_by,
            pids=tuple(sorted(self._pids())),
            last_error=tally.last_error,
            processes=self._observer.look(members, self._loop.time()),
        )

    async def close(self, timeout_seconds: float) -> list[Token]:
        """Take no more jobs, let the running ones end for ``timeout_seconds``, then leave no process behind.

        Answers the attempts that were still running; they are not reported as ended.
        """
        self._starter.close()
        self._scaler.close()
        self._dismiss_free_workers()
        await self._wait_until_gone(timeout_seconds)
        self._hurry.cancel()
        left = list(self._members.attempts)
        for token in left:
            self.abandon(token)
        await self._wait_until_gone(_KILL_SECONDS)
        await self._sweeper.finish(_KILL_SECONDS)
        return left

    def worker_ready(self, worker: Worker, ready: Ready) -> None:
        """A worker takes jobs now."""
        self._starter.succeeded()
        if not self._announced:
            self._announced = True
            self._events.on_ready(ready)
        self._scaler.ready(worker)

    def worker_began(self, token: Token) -> None:
        """An attempt is the one that its worker runs now."""
        self._events.on_begun(token)

    def worker_recalled(self, tokens: Sequence[Token]) -> None:
        """These attempts wait for another worker."""
        attempts = self._members.attempts
        self._events.on_recalled([token for token in tokens if attempts.pop(token, None) is not None])

    def worker_progress(self, token: Token, changes: Changes) -> None:
        """A running attempt reported something."""
        self._events.on_progress(token, changes)

    def worker_asked(self, token: Token, question: Question) -> None:
        """A running attempt asked something."""
        self._events.on_asked(token, question)

    def worker_log(self, token: Token, chunk: LogChunk) -> None:
        """A running attempt wrote something."""
        self._events.on_log(token, chunk)

    def worker_ended(self, worker: Worker, token: Token, ending: Ending, changes: Changes) -> None:
        """An attempt ended; its worker takes the next job if it is fit for it and has not to make way."""
        free = self._let_go(worker)
        if self._members.attempts.pop(token, None) is not None:
            self._events.on_ended(token, ending, changes)
        if free:
            self._events.on_idle()

    def worker_gone(self, worker: Worker) -> None:
        """A worker's process has ended: account for it, end what it left, replace it if it is needed."""
        self._members.processes.discard(worker)
        free = worker in self._members.busy and self._let_go(worker)
        self._sweeper.sweep()
        if worker.crash is not None:
            self._tally.crashed += 1
            self._tally.last_error = worker.crash
        if worker.failure is not None:
            self._starter.failed(worker.failure)
        self._scaler.gone(worker, free=free)

    def _let_go(self, worker: Worker) -> bool:
        """Whether one more job can run now that one of a worker's has ended."""
        if worker.state is WorkerState.BUSY:
            self._scaler.look_at(worker)
            return worker.assignments.runs_low
        self._members.busy.discard(worker)
        return self._scaler.job_ended(worker)

    def _roomiest(self) -> Worker | None:
        """The quick worker that has room for most; jobs that need a fresh one wait for a place to become free."""
        members = self._members
        if self._scaler.awaits_fresh:
            return None
        roomiest, most = None, 0
        for worker in members.busy:
            room = worker.assignments.room
            if room > most and worker not in members.due and worker not in members.parting:
                roomiest, most = worker, room
        return roomiest

    def _pids(self) -> set[int]:
        return {worker.pid for worker in self._members.processes}

    async def _wait_until_gone(self, timeout_seconds: float) -> None:
        if self._members.processes:
            await asyncio.wait([worker.gone for worker in self._members.processes], timeout=timeout_seconds)

    def _dismiss_free_workers(self) -> None:
        """Let all go that run no job, and the others after theirs."""
        for worker in self._members.remove_free():
            if worker.state is WorkerState.IDLE:
                worker.retire()
            else:
                worker.kill()
        self._members.due.clear()
        self._members.parting.update(self._members.busy)
        for worker in list(self._members.busy):
            worker.assignments.recall()
