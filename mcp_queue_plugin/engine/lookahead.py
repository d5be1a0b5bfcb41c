"""The head of a queue, read ahead: a worker that becomes free gets its next job without waiting for the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore

Queued = tuple[Job, bytes]


class Lookahead:
    """Queued jobs of one queue in their order, as far as they were read.

    Only a hint: the claim that follows decides, and a job that has changed meanwhile is dropped as soon as its change
    is committed. Whether more may be queued is a flag, set by whatever can queue a job and cleared before the store is
    read: a hint can come twice, but never be missed.
    """

    def __init__(self, store: JobStore, *, queue: str, depth: int, is_claimed: Callable[[int], bool]) -> None:
        """Read up to ``depth`` jobs ahead; ``is_claimed`` knows the uids whose claim is not committed yet."""
        self._store = store
        self._queue = queue
        self._depth = depth
        self._is_claimed = is_claimed
        self._jobs: OrderedDict[int, Queued] = OrderedDict()
        self._may_be_more = True

    def __len__(self) -> int:
        """How many jobs are known to wait."""
        return len(self._jobs)

    @property
    def wants_more(self) -> bool:
        """Whether reading the store may find jobs for ``take``."""
        return self._may_be_more and not self._jobs

    @property
    def may_have_jobs(self) -> bool:
        """Whether jobs wait, or may."""
        return self._may_be_more or bool(self._jobs)

    @property
    def first(self) -> Job:
        """The next job; there must be one."""
        return next(iter(self._jobs.values()))[0]

    async def read(self, claims_under_way: int) -> None:
        """Read ahead; the ``claims_under_way`` still look queued to the store.

        Raises:
            StoreUnavailable: the store cannot be read; the next call tries again.
        """
        self._may_be_more = False
        limit = self._depth + claims_under_way
        try:
            found = await self._store.queued(self._queue, limit)
        except BaseException:
            self._may_be_more = True
            raise
        for job, params in found:
            if not self._is_claimed(job.uid):
                self._jobs[job.uid] = (job, params)
        self._may_be_more = self._may_be_more or len(found) == limit

    def take(self) -> Queued:
        """The next job, which is forgotten here; there must be one."""
        return self._jobs.popitem(last=False)[1]

    def on_change(self, job: Job) -> None:
        """Take note of a committed change of a job of this queue."""
        if job.state is not State.QUEUED:
            self._jobs.pop(job.uid, None)
            return
        self._may_be_more = True
        if self._jobs and job.place < next(reversed(self._jobs.values()))[0].place:
            # It belongs among those already read: read again, in the store's order.
            self._jobs.clear()
