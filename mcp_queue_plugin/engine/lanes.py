"""The named queues as the dispatcher sees them: what waits in each, what of it runs, and which may go on now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from mcp_queue_plugin.engine.lookahead import Lookahead, Queued
from mcp_queue_plugin.model.estimate import Outlook
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queues import QueueRule, QueueState, free_slots, opens_in_seconds
from mcp_queue_plugin.model.scaling import Demand
from mcp_queue_plugin.store.protocol import JobStore

LOOKAHEAD_JOBS = 32

logger = logging.getLogger(__name__)


class Lane:
    """One named queue."""

    def __init__(self, name: str, rule: QueueRule, store: JobStore, is_claimed: Callable[[int], bool]) -> None:
        """A queue in which nothing has happened yet."""
        self.rule = rule
        self.state = QueueState(name=name)
        self.running: set[int] = set()
        """The uids of its jobs that have begun and not let go of their slot."""
        depth = LOOKAHEAD_JOBS if rule.max_concurrent_jobs is None else min(LOOKAHEAD_JOBS, rule.max_concurrent_jobs)
        self.waiting = Lookahead(store, queue=name, depth=depth, is_claimed=is_claimed)

    def free_slots(self, now: float) -> int:
        """How many of its jobs may start now."""
        return free_slots(self.rule, self.state, len(self.running), now)

    def opens_in_seconds(self, now: float) -> float:
        """How long it still waits after its last job."""
        return opens_in_seconds(self.rule, self.state, now)

    def take(self, *, fresh: bool) -> Queued:
        """Its next job, which takes a slot; without ``fresh`` the next that does not need a fresh worker."""
        queued = self.waiting.take(fresh=fresh)
        self.running.add(queued[0].uid)
        return queued


class Lanes:
    """All queues: those of the configuration, and those that jobs of an earlier one still wait in."""

    def __init__(
        self, store: JobStore, rules: Mapping[str, QueueRule], *, slots: int, is_claimed: Callable[[int], bool]
    ) -> None:
        """Queues with these ``rules``, which share ``slots``; ``is_claimed`` knows the claims under way by uid."""
        self._store = store
        self._rules = rules
        self._slots = slots
        self._is_claimed = is_claimed
        self._lanes: dict[str, Lane] = {}
        for name in rules:
            self.of(name)

    def __iter__(self) -> Iterator[Lane]:
        """Every queue."""
        return iter(self._lanes.values())

    async def open(self) -> None:
        """Take over the states of the queues.

        Raises:
            StoreUnavailable: they cannot be read.
        """
        for name, figures in (await self._store.queues()).items():
            self.of(name).state = figures.state
            if figures.pending and name not in self._rules:
                logger.warning(
                    "%d jobs wait in the queue %r, which the configuration does not have any more: they run without "
                    "limits of their own",
                    figures.pending,
                    name,
                )

    def of(self, name: str) -> Lane:
        """The queue of this name."""
        lane = self._lanes.get(name)
        if lane is None:
            rule = self._rules.get(name, QueueRule())
            lane = self._lanes[name] = Lane(name, rule, self._store, self._is_claimed)
        return lane

    def on_change(self, job: Job) -> None:
        """Take note of a committed change."""
        self.of(job.options.queue).waiting.on_change(job)

    def unread(self, now: float) -> list[Lane]:
        """The queues that may start a job now and of which it is unknown whether one waits."""
        return [lane for lane in self if lane.waiting.wants_more and lane.free_slots(now)]

    def next(self, now: float, *, fresh: bool) -> Lane | None:
        """The queue whose job goes first of all that can start now; without ``fresh``, on a used worker."""
        first, its_place = None, None
        for lane in self:
            job = lane.waiting.first(fresh=fresh) if lane.free_slots(now) else None
            if job is not None and (its_place is None or job.place < its_place):
                first, its_place = lane, job.place
        return first

    def demand(self, now: float) -> Demand:
        """The jobs that could start now if there were workers, as far as they were read."""
        demands = [lane.waiting.demand(lane.free_slots(now)) for lane in self]
        return Demand(sum(demand.warm for demand in demands), sum(demand.fresh for demand in demands))

    @property
    def has_fresh(self) -> bool:
        """Whether a job is known to wait that needs a fresh worker."""
        return any(lane.waiting.has_fresh for lane in self)

    def opens_in_seconds(self, now: float) -> float | None:
        """When the next of the queues that wait after their last job goes on; None if none waits for time alone."""
        waits = (
            lane.opens_in_seconds(now)
            for lane in self
            if lane.rule.paced and lane.waiting.may_have_jobs and not lane.state.paused
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
        )
