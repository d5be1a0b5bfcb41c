"""Keeps the number of workers right: starts them for jobs that wait, replaces the used up, ends the idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_queue_plugin.model.options import Isolation
from mcp_queue_plugin.model.scaling import (
    Demand,
    Limits,
    Machine,
    WorkerRules,
    lacks_fresh,
    missing_workers,
    needs_successor,
)
from mcp_queue_plugin.workers.guard import GrowthGuard
from mcp_queue_plugin.workers.idletimer import IdleTimer
from mcp_queue_plugin.workers.members import Members
from mcp_queue_plugin.workers.owner import WorkerState
from mcp_queue_plugin.workers.process import Worker
from mcp_queue_plugin.workers.recycling import Recycling
from mcp_queue_plugin.workers.starter import Starter
from mcp_queue_plugin.workers.statistics import Tally


class Scaler:
    """Does to the members of a pool what ``model.scaling`` decides.

    A worker is replaced without a gap: its successor is started beyond the limit and waits, ready, until the place is
    free. A place is free when its worker is idle, or ends a job, and has to go.
    """

    def __init__(
        self,
        members: Members,
        starter: Starter,
        limits: Limits,
        rules: WorkerRules,
        *,
        tally: Tally,
        machine: Callable[[], Machine],
        on_free: Callable[[], None],
    ) -> None:
        """Call ``on_free`` when a job can run on a successor that has got its place."""
        self._members = members
        self._starter = starter
        self._limits = limits
        self._tally = tally
        self._on_free = on_free
        self._demand = Demand()
        self._loop = asyncio.get_running_loop()
        self._recycling = Recycling(rules)
        self._guard = GrowthGuard(rules, machine, self.adjust)
        self._idle_timer = IdleTimer(members, rules, self._end_idle)

    @property
    def held_back_by(self) -> str | None:
        """Why workers that are wanted do not start, in words."""
        return self._guard.held_back_by

    @property
    def awaits_fresh(self) -> bool:
        """Whether a job waits that needs a fresh worker."""
        return self._demand.fresh > 0

    def demand(self, demand: Demand) -> None:
        """Work towards workers for so many jobs that wait."""
        before, self._demand = self._demand, demand
        if demand != before and not self._cannot_help(demand, before):
            self.adjust()

    def served(self, isolation: Isolation) -> None:
        """Take note that one of the jobs that waited has got its worker: another that is told next is one more."""
        warm, fresh = self._demand
        if isolation == "fresh":
            self._demand = Demand(warm, max(0, fresh - 1))
        else:
            self._demand = Demand(max(0, warm - 1), fresh)

    def ready(self, worker: Worker) -> None:
        """Take note that a worker can take jobs: at once, or as the successor of another."""
        has_place = worker is not self._members.successor
        if has_place:
            self._members.starting.remove(worker)
            self._members.unused.append(worker)
        self.adjust(free=has_place)

    def job_ended(self, worker: Worker) -> bool:
        """Keep the worker, unless it is not fit or has to make way; answers whether one more job can run now."""
        if worker.state is not WorkerState.IDLE or self._has_to_go(worker):
            return self._replace(worker)
        self._members.used.append(worker)
        self._idle_timer.watch()
        self.look_at(worker)
        return True

    def look_at(self, worker: Worker) -> None:
        """See whether a worker that has ended a job has served long enough."""
        if self._recycling.is_due(worker, self._members.due):
            self._members.due.add(worker)
            self._start_successor()

    def gone(self, worker: Worker, *, free: bool) -> None:
        """Take note that the process of a worker has ended; ``free``: one more job can run for that already."""
        self.adjust(free=(self._members.remove(worker) and self._members.fill_place()) or free)

    def adjust(self, *, free: bool = False) -> None:
        """Bring the number of workers nearer to what it should be; ``free``: a job can run now, which is told last."""
        free = self._let_successor_in() or free
        if self._starter.ready:
            census = self._members.census()
            allowed = self._guard.allowed(missing_workers(self._limits, census, self._demand), census)
            if allowed and self._members.successor is not None:
                allowed -= 1
                free = self._members.fill_place() or free
            self._start(allowed)
            self._start_successor()
        self._idle_timer.watch()
        if free:
            self._on_free()

    def close(self) -> None:
        """Change nothing any more."""
        self._guard.release()
        self._idle_timer.cancel()

    def _cannot_help(self, *demands: Demand) -> bool:
        """Whether a pool that is full has nothing to do for warm jobs: so it is most of the time when many wait."""
        members = self._members
        full = len(members.processes) >= self._limits.max_workers and members.successor is None
        return full and not members.parting and not any(demand.fresh for demand in demands)

    def _start(self, count: int) -> None:
        for _ in range(count):
            worker = self._starter.start()
            if worker is not None:
                self._members.add(worker)

    def _start_successor(self) -> None:
        due, held_back = bool(self._members.due), self.held_back_by is not None
        if needs_successor(self._limits, self._members.census(), self._demand, due=due, held_back=held_back):
            worker = self._starter.start()
            if worker is not None:
                self._members.add_successor(worker)

    def _let_successor_in(self) -> bool:
        """Give the ready successor the place of an idle worker; let it go if it is not needed any more."""
        members, new = self._members, self._members.ready_successor
        if new is None:
            return False
        lacks_fresh = self._lacks_fresh()
        old = members.due_and_idle
        if old is None and lacks_fresh and members.used:
            old = members.used[0]
        if old is not None:
            return self._replace(old)
        if not (members.due or members.parting or lacks_fresh):
            members.remove(new)
            new.retire()
        return False

    def _has_to_go(self, worker: Worker) -> bool:
        if worker in self._members.parting:
            return True
        return self._members.ready_successor is not None and (worker in self._members.due or self._lacks_fresh())

    def _replace(self, worker: Worker) -> bool:
        """Let a worker go that runs no job; answers whether one more job can run in its place."""
        members, new = self._members, self._members.ready_successor
        if worker.state is WorkerState.IDLE:
            worker.retire()
            if worker in members.due and new is not None:
                self._tally.recycled += 1
                self._recycling.replaced(new, self._loop.time())
        members.remove(worker)
        return members.fill_place()

    def _lacks_fresh(self) -> bool:
        return lacks_fresh(self._members.census(), self._demand)

    def _end_idle(self, worker: Worker) -> None:
        self._members.remove(worker)
        worker.retire()
        self._tally.idle_ended += 1
