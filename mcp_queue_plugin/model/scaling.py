"""How many workers there should be: decided from what waits, what there is, and what the machine has left."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

MEGABYTE = 1024 * 1024

WORKER_BYTES = 64 * MEGABYTE
"""About what a worker takes that has just started; one that is starting has not taken it yet."""

RECYCLING_SHARE = 0.05
"""The most of the time that may go by while successors of workers that have run enough jobs start."""


class WorkerRules(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers are kept, when more may start, and how long one serves; None is no limit.

    Attributes:
        min_workers: So many are there even if nothing is to do.
        start_timeout_seconds: How long a new one may take until it is ready.
        idle_timeout_seconds: After how long without a job one beyond ``min_workers`` leaves.
        recycle_after_jobs: After how many jobs one is replaced.
        recycle_rss_bytes: Above which resident memory after a job one is replaced.
        min_free_memory_bytes: Below which available memory the pool does not grow; 0 for any.
        max_load_per_core: Above which load average per core the pool does not grow.

    """

    min_workers: int = 1
    start_timeout_seconds: float = 30.0
    idle_timeout_seconds: float | None = 60.0
    recycle_after_jobs: int | None = 1000
    recycle_rss_bytes: int | None = None
    min_free_memory_bytes: int = 256 * MEGABYTE
    max_load_per_core: float | None = None


class Limits(NamedTuple):
    """What bounds the number of workers. ``max_starting`` is how many processes may be starting at once."""

    max_workers: int
    min_workers: int
    max_starting: int


class Demand(NamedTuple):
    """Jobs that could run now if there were a worker for them: a used one will do, or it has to be a fresh one."""

    warm: int = 0
    fresh: int = 0


class Census(NamedTuple):
    """The pool's processes, each counted once.

    ``unused`` and ``used`` workers are idle. ``busy`` ones stay when their job is over, ``parting`` ones leave then,
    and ``leaving`` ones take no jobs any more. A ``successor`` is to take the place of another worker.
    """

    unused: int = 0
    used: int = 0
    starting: int = 0
    busy: int = 0
    parting: int = 0
    leaving: int = 0
    successor: int = 0

    @property
    def staying(self) -> int:
        """Those that are there to stay."""
        return self.unused + self.used + self.starting + self.busy

    @property
    def alive(self) -> int:
        """Those that run jobs now, or will."""
        return self.staying + self.parting + self.successor


class Machine(NamedTuple):
    """What the machine has left."""

    available_memory_bytes: int
    load_per_core: float


class Growth(NamedTuple):
    """How many workers may start, and in words what keeps it from being as many as wanted."""

    workers: int
    held_back_by: str | None = None


def missing_workers(limits: Limits, census: Census, demand: Demand) -> int:
    """How many more workers would be of use now and fit the limits, whatever the machine says to it.

    A successor is not counted as a process here: it is the one beyond ``max_workers`` that there may be.
    """
    room = limits.max_workers - (census.staying + census.parting + census.leaving)
    return max(0, min(_of_use(limits, census, demand), room, limits.max_starting - census.starting))


def growth(wanted: int, rules: WorkerRules, census: Census, machine: Machine) -> Growth:
    """How many of ``wanted`` workers the machine has room for; one always, if there is none at all."""
    floor = 0 if census.alive else 1
    load = rules.max_load_per_core
    if load is not None and machine.load_per_core > load:
        reason = f"load: {machine.load_per_core:.2f} per core, more than max_load_per_core, {load:g}"
        return Growth(min(floor, wanted), reason if floor < wanted else None)
    if not rules.min_free_memory_bytes:
        return Growth(wanted)
    spare_bytes = machine.available_memory_bytes - rules.min_free_memory_bytes
    affordable = max(spare_bytes // WORKER_BYTES - census.starting - census.successor, floor)
    if affordable >= wanted:
        return Growth(wanted)
    free, least = machine.available_memory_bytes // MEGABYTE, rules.min_free_memory_bytes // MEGABYTE
    return Growth(affordable, f"memory: {free} MB are available, and min_free_memory_mb, {least}, are to stay free")


def needs_successor(limits: Limits, census: Census, demand: Demand, *, due: bool, held_back: bool) -> bool:
    """Whether one more process is to start that will take the place of a worker, so that no job waits meanwhile.

    It is needed for a worker that is ``due`` to be replaced; for a fresh job when the pool cannot grow, so that a used
    worker has to make way; and for a worker that leaves after its job while others wait for its place. There is never
    more than one, and never more than one process beyond ``max_workers``.
    """
    processes = census.alive + census.leaving
    if census.successor or processes > limits.max_workers or census.starting >= limits.max_starting:
        return False
    if due:
        return True
    if processes < limits.max_workers and not held_back:
        return False
    if lacks_fresh(census, demand):
        return True
    return census.parting > 0 and _of_use(limits, census, demand) > 0


def lacks_fresh(census: Census, demand: Demand) -> bool:
    """Whether a fresh job waits for which no unused worker is there or on its way, the successor left aside."""
    return demand.fresh > census.unused + census.starting


def _of_use(limits: Limits, census: Census, demand: Demand) -> int:
    for_jobs = max(0, demand.warm - census.used) + demand.fresh - census.unused - census.starting
    return max(for_jobs, limits.min_workers - census.staying)


class Departure(NamedTuple):
    """How many idle workers leave now, and when to look again; None when nobody will have to leave."""

    workers: int
    look_again_at: float | None = None


def departure(
    idle_since: Sequence[float], *, staying: int, min_workers: int, idle_timeout_seconds: float, now: float
) -> Departure:
    """Who of the idle workers leaves: those that have been idle for the time-out, as long as ``min_workers`` stay.

    ``idle_since`` are the times since when each is idle, the longest idle first; ``staying`` counts the busy too.
    """
    spare = min(staying - min_workers, len(idle_since))
    if spare <= 0:
        return Departure(0)
    leaving = min(spare, bisect_right(idle_since, now - idle_timeout_seconds))
    return Departure(leaving, idle_since[leaving] + idle_timeout_seconds if leaving < spare else None)


def recycling_pause_seconds(start_seconds: float) -> float:
    """How long after a recycling no other begins, for a successor that took so long to start.

    Without it a stream of short jobs would spend most of the machine on starting processes.
    """
    return start_seconds * (1 / RECYCLING_SHARE - 1)
