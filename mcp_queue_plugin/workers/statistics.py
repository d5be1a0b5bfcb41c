"""The pool in numbers, and each of its processes as it is now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from mcp_queue_plugin.workers.host import STOPPED_STATES, Vitals
from mcp_queue_plugin.workers.members import Members
from mcp_queue_plugin.workers.owner import WorkerState

StateName = Literal["starting", "idle", "busy", "leaving"]

_NAMES: dict[WorkerState, StateName] = {
    WorkerState.STARTING: "starting",
    WorkerState.IDLE: "idle",
    WorkerState.BUSY: "busy",
    WorkerState.LEAVING: "leaving",
    WorkerState.GONE: "leaving",
}


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One worker now.

    Attributes:
        pid: Its process id.
        state: What it does.
        job_id: The job that it runs.
        jobs_done: How many jobs it has run.
        rss_bytes: Its resident memory; None if it has ended just now.
        uptime_seconds: How long ago it was started.
        frozen: Whether it gets nowhere: it was stopped by a signal, or has waited in the kernel since the last look.

    """

    pid: int
    state: StateName
    job_id: str | None
    jobs_done: int
    rss_bytes: int | None
    uptime_seconds: float
    frozen: bool


class WorkerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The pool in numbers; the totals count from its beginning.

    Attributes:
        started: How many processes were started.
        idle: Workers that wait for a job.
        busy: Workers that run one.
        starting: Workers that are not ready yet.
        crashed_total: How many have died unasked.
        recycled_total: How many were replaced because they had served long enough.
        idle_ended_total: How many have left because they had been idle for too long.
        held_back_by: Why more are wanted and do not start, or None.
        pids: The process ids of all of them.
        last_error: How the last one failed or died.
        processes: Each of them, by process id.

    """

    started: int
    idle: int
    busy: int
    starting: int
    crashed_total: int
    recycled_total: int
    idle_ended_total: int
    held_back_by: str | None
    pids: tuple[int, ...]
    last_error: str | None
    processes: tuple[WorkerFacts, ...]


class Tally:
    """What the pool counts from its beginning."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.started = 0
        self.crashed = 0
        self.recycled = 0
        self.idle_ended = 0
        self.last_error: str | None = None


class Observer:
    """Looks at processes. It remembers those that waited in the kernel, to know a wait that lasts from a short one."""

    def __init__(self, vitals: Callable[[int], Vitals | None]) -> None:
        """Read a process by ``vitals``."""
        self._vitals = vitals
        self._waiting: dict[int, int] = {}

    def look(self, members: Members, now: float) -> tuple[WorkerFacts, ...]:
        """The facts about all processes at ``now``, a time of the loop."""
        before, self._waiting = self._waiting, {}
        facts = []
        for worker in sorted(members.processes, key=lambda worker: worker.pid):
            seen = self._vitals(worker.pid)
            fact = WorkerFacts(
                pid=worker.pid,
                state="starting" if worker is members.successor else _NAMES[worker.state],
                job_id=worker.assignments.job_id,
                jobs_done=worker.jobs_done,
                rss_bytes=None if seen is None else seen.rss_bytes,
                uptime_seconds=round(now - worker.started_at, 3),
                frozen=seen is not None and self._is_frozen(worker.pid, seen, before),
            )
            facts.append(fact)
        return tuple(facts)

    def _is_frozen(self, pid: int, seen: Vitals, before: dict[int, int]) -> bool:
        if seen.waits_since is None:
            return seen.state in STOPPED_STATES
        self._waiting[pid] = seen.waits_since
        return before.get(pid) == seen.waits_since
