"""The named queues as the dispatcher sees them: what waits in each, what of it runs, and which may go on now.

Their times are those of ``time.monotonic``, ``now`` included, as the timers of the loop have them: however the system's
clock is set while the engine runs, no pause is longer or shorter for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

import msgspec

from mcp_queue_plugin.engine.lookahead import Lookahead, Queued
from mcp_queue_plugin.model.estimate import Outlook
from mcp_queue_plugin.model.job import Job, Token
from mcp_queue_plugin.model.queues import QueueRule, QueueState, free_slots, opens_in_seconds
from mcp_queue_plugin.model.scaling import Demand
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore

LOOKAHEAD_JOBS = 64

logger = logging.getLogger(__name__)

_replace = msgspec.structs.replace


class Lane:
    """One named queue."""

    def __init__(self, name: str, rule: QueueRule, store: JobStore, is_claimed: Callable[[Job], bool]) -> None:
        """A queue in which nothing has happened yet."""
        self.rule = rule
        self.state = QueueState(name=name)
        self.running: set[Token] = set()
        """The attempts that have been given a slot and not let go of it."""
        self.ending: set[Token] = set()
        """Of a queue that waits after its last job, the attempts whose end is not committed yet: none starts now."""
        depth = LOOKAHEAD_JOBS if rule.max_concurrent_jobs is None else min(LOOKAHEAD_JOBS, rule.max_concurrent_jobs)
        self.waiting = Lookahead(store, queue=name, depth=depth, is_claimed=is_claimed)

    def free_slots(self, now: float) -> int:
        """How many of its jobs may start now."""
        return 0 if self.ending else free_slots(self.rule, self.state, len(self.running), now)

    def opens_in_seconds(self, now: float) -> float:
        """How long it still waits after its last job."""
        return opens_in_seconds(self.rule, self.state, now)

    def demand(self, now: float) -> Demand:
        """How many workers its jobs could use now."""
        return self.waiting.demand(self.free_slots(now))

    def first(self, now: float, *, fresh: bool) -> Job | None:
        """Its next job that can start now, if one of its slots is free; without ``fresh``, on a used worker.

        Slots go by the order of the queue: a job that waits for a fresh worker holds one, and others pass it in others.
        """
        return self.waiting.first(self._warm_among(now, fresh))

    def take(self, now: float, *, fresh: bool) -> Queued:
        """The job that is ``first``, which waits no more; there must be one."""
        return self.waiting.take(self._warm_among(now, fresh))

    def on_ended(self, state: QueueState, now: float) -> None:
        """Take over the ``state`` that the end of an attempt has left it in."""
        self.state = _replace(state, ended_at=now)

    def on_paused(self, *, paused: bool) -> None:
        """Take note that it was paused, or resumed."""
        self.state = _replace(self.state, paused=paused)

    def _warm_among(self, now: float, fresh: bool) -> int | None:
        """Among how many jobs one has to be found that a used worker can run; None if any job will do."""
        return None if fresh or not self.waiting.has_fresh else self.free_slots(now)


class Lanes:
    """All queues: those of the configuration, and those that jobs of an earlier one still wait in."""

    def __init__(
        self, store: JobStore, rules: Mapping[str, QueueRule], *, slots: int, is_claimed: Callable[[Job], bool]
    ) -> None:
        """Queues with these ``rules``, which share ``slots``.

        ``is_claimed`` knows the jobs whose next attempt is given to a worker.
        """
        self._store = store
        self._rules = rules
        self._slots = slots
        self._is_claimed = is_claimed
        self._lanes: dict[str, Lane] = {}
        self._with_work: dict[str, Lane] = {}
        """Those in which jobs wait, or may."""
        self._paced: list[Lane] = []
        for name in rules:
            self.of(name)

    def __iter__(self) -> Iterator[Lane]:
        """Every queue."""
        return iter(self._lanes.values())

    def __contains__(self, name: str) -> bool:
        """Whether there is a queue of this name."""
        return name in self._lanes

    async def open(self, clock_now: float, now: float) -> None:
        """Take over the states of the queues; ``clock_now`` is the time that their ends are told in.

        Raises:
            StoreUnavailable: they cannot be read.
        """
        for name, figures in (await self._store.queues()).items():
            if name not in self._rules:
                if not figures.pending:
                    continue
                logger.warning(
                    "%d jobs wait in the queue %r, which the configuration does not have any more: they run without "
                    "limits of their own",
                    figures.pending,
                    name,
                )
            state = figures.state
            ended_at = None if state.ended_at is None else now - max(0.0, clock_now - state.ended_at)
            self.of(name).state = _replace(state, ended_at=ended_at)

    def of(self, name: str) -> Lane:
        """The queue of this name."""
        lane = self._lanes.get(name)
        if lane is None:
            rule = self._rules.get(name, QueueRule())
            lane = self._lanes[name] = self._with_work[name] = Lane(name, rule, self._store, self._is_claimed)
            if rule.paced:
                self._paced.append(lane)
        return lane

    def on_change(self, job: Job, params: bytes | None = None) -> None:
        """Take note of a committed change; ``params`` are told of a new job."""
        lane = self.of(job.options.queue)
        lane.waiting.on_change(job, params)
        if job.state is State.QUEUED:
            self._with_work[job.options.queue] = lane

    def put_back(self, job: Job, params: bytes) -> None:
        """Take in again a job that was taken to be run."""
        lane = self.of(job.options.queue)
        lane.waiting.put_back(job, params)
        self._with_work[job.options.queue] = lane

    def read_again(self, lane: Lane) -> None:
        """Take note that jobs may wait in a queue of which nothing was told.

        One that was queued again is no news as long as it seems to be claimed.
        """
        lane.waiting.expect_more()
        self._with_work[lane.state.name] = lane

    def may_start(self, now: float) -> list[Lane]:
        """The queues that may start a job now, if one waits; of some it may be unknown whether one does."""
        for name in [name for name, lane in self._with_work.items() if not lane.waiting.may_have_jobs]:
            del self._with_work[name]
        return [lane for lane in self._with_work.values() if lane.free_slots(now)]

    def opens_in_seconds(self, now: float) -> float | None:
        """When the next of the queues that wait after their last job goes on; None if none waits for time alone."""
        waits = (
            lane.opens_in_seconds(now) for lane in self._paced if lane.waiting.may_have_jobs and not lane.state.paused
        )
        return min((seconds for seconds in waits if seconds > 0), default=None)

    def outlook(self, name: str, now: float) -> Outlook:
        """What a wait in a queue depends on."""
        lane = self.of(name)
        own = lane.rule.max_concurrent_jobs
        slots = self._slots if own is None else min(own, self._slots)
        taken = sum(len(other.running) for other in self)
        return Outlook(
            slots=slots,
            free=max(0, min(slots - len(lane.running), self._slots - taken)),
            cycle_seconds=lane.state.average_seconds + lane.rule.min_pause_seconds,
            opens_in_seconds=lane.opens_in_seconds(now),
            is_paused=lane.state.paused,
        )


def next_of(lanes: list[Lane], now: float, *, fresh: bool) -> Lane | None:
    """Of queues with a free slot the one whose job goes first; None if none of their jobs can run.

    Without ``fresh`` those that need a fresh worker cannot.
    """
    if len(lanes) == 1:
        return lanes[0] if lanes[0].first(now, fresh=fresh) is not None else None
    heads = ((first.place, lane) for lane in lanes if (first := lane.first(now, fresh=fresh)) is not None)
    return min(heads, key=lambda head: head[0], default=(None, None))[1]


def demand_of(lanes: list[Lane], now: float, *, most: int) -> Demand:
    """How many workers the jobs of these queues could use now: all that need a fresh one, and of others ``most``."""
    warm = fresh = 0
    for lane in lanes:
        if warm < most or lane.waiting.has_fresh:
            demand = lane.demand(now)
            warm, fresh = warm + demand.warm, fresh + demand.fresh
    return Demand(min(warm, most), fresh)
