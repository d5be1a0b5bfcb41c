"""The head of a queue, kept as it was told or read: a worker that becomes free does not wait for the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.scaling import Demand
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore

Queued = tuple[Job, bytes]

KEPT_JOBS = 512
"""Up to so many new jobs are kept as they are told, and need not be read, if they are small and warm workers do."""

KEPT_PARAMS_BYTES = 1024
"""How large the parameters of a small job may be."""


class Lookahead:
    """Queued jobs of one queue in their order, as far as they were told, or read ahead.

    Only a hint: the claim that follows decides, and a job that has changed meanwhile is dropped as soon as its change
    is committed. Whether more may be queued is a flag, set by whatever can queue a job and cleared before the store is
    read: a hint can come twice, but never be missed.
    """

    def __init__(self, store: JobStore, *, queue: str, depth: int, is_claimed: Callable[[Job], bool]) -> None:
        """Read up to ``depth`` jobs ahead; ``is_claimed`` knows the jobs whose next attempt is given to a worker."""
        self._store = store
        self._queue = queue
        self._depth = depth
        self._is_claimed = is_claimed
        self._jobs: OrderedDict[int, Queued] = OrderedDict()
        self._fresh: set[int] = set()
        """Those of them that need a fresh worker."""
        self._may_be_more = True
        self._reading = False

    @property
    def wants_more(self) -> bool:
        """Whether reading the store may find jobs for ``take``, beside those that wait for a fresh worker."""
        return self._may_be_more and len(self._fresh) == len(self._jobs) < self._depth

    @property
    def runs_low(self) -> bool:
        """Whether it is time to read on, so that ``take`` does not come to wait for it."""
        warm = len(self._jobs) - len(self._fresh)
        return self._may_be_more and warm < self._depth // 4 and len(self._jobs) < self._depth

    @property
    def may_have_jobs(self) -> bool:
        """Whether jobs wait, or may."""
        return self._may_be_more or bool(self._jobs)

    @property
    def has_fresh(self) -> bool:
        """Whether a job is known to wait that needs a fresh worker."""
        return bool(self._fresh)

    async def read(self, claims_under_way: int) -> None:
        """Read ahead; the ``claims_under_way`` still look queued to the store.

        Raises:
            StoreUnavailable: the store cannot be read; the next call tries again.
        """
        self._may_be_more = False
        self._reading = True
        limit = self._depth + claims_under_way
        try:
            found = await self._store.queued(self._queue, limit)
        except BaseException:
            self._may_be_more = True
            raise
        finally:
            self._reading = False
        for job, params in found:
            if not self._is_claimed(job):
                self._keep(job, params)
        self._may_be_more = self._may_be_more or len(found) == limit

    def first(self, warm_among: int | None = None) -> Job | None:
        """The next job; with a number, the first of the next so many that a used worker can run. None if unknown."""
        uid = self._first(warm_among)
        return None if uid is None else self._jobs[uid][0]

    def take(self, warm_among: int | None = None) -> Queued:
        """The job that is ``first``, which is forgotten here; there must be one."""
        uid = self._first(warm_among)
        assert uid is not None
        self._fresh.discard(uid)
        return self._jobs.pop(uid)

    def put_back(self, job: Job, params: bytes) -> None:
        """Take a job in again that was taken; it goes before all that come after it."""
        if self._may_be_more and (not self._jobs or self._last().place < job.place):
            # Of those before it nothing is known, or not all: they are read together.
            return
        first = self.first()
        self._keep(job, params)
        if first is not None and job.place < first.place:
            self._jobs.move_to_end(job.uid, last=False)
            return
        for uid in [uid for uid, (other, _) in self._jobs.items() if other.place > job.place]:
            self._jobs.move_to_end(uid)

    def expect_more(self) -> None:
        """Take note that there may be jobs of which nothing was told."""
        self._may_be_more = True

    def demand(self, slots: int) -> Demand:
        """What the next jobs need, as many of them as there are ``slots``."""
        fresh = sum(uid in self._fresh for uid in islice(self._jobs, slots)) if self._fresh else 0
        return Demand(min(len(self._jobs), slots) - fresh, fresh)

    def on_change(self, job: Job, params: bytes | None = None) -> None:
        """Take note of a committed change of a job of this queue; ``params`` are told of a new one."""
        if job.state is not State.QUEUED:
            self._forget(job.uid)
            return
        if self._is_claimed(job):
            # It was read, and taken, between its commit and this news of it.
            return
        is_last = not self._jobs or self._last().place < job.place
        knows_all = not self._may_be_more and not self._reading
        if params is not None and is_last and knows_all and self._has_room_for(job, params):
            self._keep(job, params)
            return
        self._may_be_more = True
        if not is_last:
            # It belongs among those already read: read again, in the store's order.
            self._jobs.clear()
            self._fresh.clear()

    def _last(self) -> Job:
        return next(reversed(self._jobs.values()))[0]

    def _has_room_for(self, job: Job, params: bytes) -> bool:
        # Among many it would have to be counted, again and again, who needs a fresh worker.
        needs_fresh = bool(self._fresh) or job.options.isolation == "fresh"
        is_small = len(params) <= KEPT_PARAMS_BYTES and not needs_fresh
        return len(self._jobs) < (KEPT_JOBS if is_small else self._depth)

    def _keep(self, job: Job, params: bytes) -> None:
        self._jobs[job.uid] = (job, params)
        if job.options.isolation == "fresh":
            self._fresh.add(job.uid)

    def _forget(self, uid: int) -> None:
        self._fresh.discard(uid)
        self._jobs.pop(uid, None)

    def _first(self, warm_among: int | None) -> int | None:
        if warm_among is None:
            return next(iter(self._jobs), None)
        return next((uid for uid in islice(self._jobs, warm_among) if uid not in self._fresh), None)
