"""Group commit: everything asked for in one turn of the loop shares one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from mcp_queue_plugin.engine.groups import Entry, joined
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.errors import QueueError, StoreUnavailable
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Add,
    Applied,
    Ask,
    Claim,
    Done,
    Finish,
    Operation,
    Outcome,
    OutcomeCallback,
    Report,
)
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import OPERATIONS_PER_TURN, JobStore

RETRY_FIRST_SECONDS = 0.1
RETRY_MAX_SECONDS = 5.0

PATIENCE_SECONDS = 0.006
"""So long a patient operation waits for others that begin a group."""

CROWDED_OPERATIONS = 8
"""After a group of more operations than these, as they were submitted, what attempts have done is patient for a while;
after one of more requests than these, the next group begins that while later, whatever comes. A transaction costs the
same for few and for many, and where so much is going on, what it would save a caller is little beside what it costs all
others."""

logger = logging.getLogger(__name__)


class Change(NamedTuple):
    """A committed change of a record or its log, with the state before.

    ``result`` is the result document, ``log`` what was written, and ``params`` are the parameters, if this very change
    brought them.
    """

    job: Job
    before: State | None
    result: bytes | None = None
    log: Sequence[LogPiece] = ()
    params: bytes | None = None


_OF_ATTEMPTS = (Claim, Report, Ask, Finish)
"""What attempts have done already; it is kept until the store takes it, in its order."""


class Committer:
    """Hands operations to the store in groups, one group at a time, and the less often the more there are in each.

    What follows from a large group is told a few entries at a time, with turns of the loop between them: a worker that
    has ended its job meanwhile does not wait for its next one. The claim and the end of an attempt that come into one
    group become one operation, see ``joined``.

    A caller learns the outcome after the commit. When a commit fails, what was asked for fails with the store's error;
    what attempts have produced is kept and tried again until the store takes it.
    """

    def __init__(
        self,
        store: JobStore,
        *,
        on_committed: Callable[[Sequence[Change]], None],
        on_change: Callable[[Change], None],
        on_told: Callable[[], Awaitable[None]],
    ) -> None:
        """Call ``on_committed`` with the changes of each group after its commit, then ``on_change`` with each.

        ``on_told`` is awaited whenever some callers have been told their outcomes, and the workers are next.
        """
        self._store = store
        self._on_committed = on_committed
        self._on_change = on_change
        self._on_told = on_told
        self._entries: list[Entry] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._retry_seconds = RETRY_FIRST_SECONDS
        self._not_before = 0.0
        """Before this time of the loop no group begins."""
        self._crowded_until = 0.0
        """Before this time of the loop what attempts have done is patient."""
        self._held = False
        self._closing = False
        self._retry_timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.failure: StoreUnavailable | None = None
        """Why the last commit failed; None when it succeeded."""

    def start(self) -> None:
        """Begin to commit on the running loop."""
        self._task = spawn(self._run(), name="committer")

    def submit(self, operation: Operation, callback: OutcomeCallback | None = None, *, patient: bool = False) -> None:
        """Put ``operation`` into the next group; ``callback`` gets its outcome, or the error of the commit.

        A ``patient`` one begins no group of its own for some milliseconds: it goes along with the next that must.
        """
        self._entries.append(Entry(operation, callback))
        loop = asyncio.get_running_loop()
        if not isinstance(operation, _OF_ATTEMPTS):
            self._held = False
        elif patient or loop.time() < self._crowded_until:
            self._idle.clear()
            if self._patience is None:
                self._patience = loop.call_later(PATIENCE_SECONDS, self._end_patience)
            return
        self._begin()

    async def committed(self, operation: Operation) -> Outcome:
        """Put ``operation`` into the next group and wait for its outcome.

        Raises:
            QueueError: the commit failed.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome | QueueError) -> None:
            if isinstance(outcome, QueueError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(operation, settle)
        return await future

    async def drain(self, timeout_seconds: float) -> bool:
        """Wait until everything submitted is committed; False if it was not within the time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop committing, after the commit under way; what is still held is given up."""
        self._closing = True
        self._begin()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            # At least one more turn of the loop: everything that is ready now joins the group.
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            # Looked at last: who closes meanwhile wakes nobody a second time.
            if self._closing:
                return
            self._wake.clear()
            if len(self._entries) > CROWDED_OPERATIONS:
                self._crowded_until = loop.time() + PATIENCE_SECONDS
                requests = sum(not isinstance(entry.operation, _OF_ATTEMPTS) for entry in self._entries)
                if requests > CROWDED_OPERATIONS:
                    self._not_before = self._crowded_until
            if (self._entries or self.failure is not None) and not self._held:
                await self._commit()
            if not self._entries:
                self._idle.set()

    async def _commit(self) -> None:
        group, self._entries = joined(self._entries), []
        try:
            outcomes = await self._store.apply([entry.operation for entry in group])
        except StoreUnavailable as error:
            self._keep_for_retry(group, error)
            return
        changes = list(map(_changes, group, outcomes))
        if self.failure is not None:
            self._look_again_after(wrote=not group or any(changes))
        self._on_committed([change for of_entry in changes for change in of_entry])
        for number, (entry, outcome, of_entry) in enumerate(zip(group, outcomes, changes, strict=True), 1):
            # Watchers first: who is answered that a job has ended must find it so everywhere.
            for change in of_entry:
                self._on_change(change)
            if entry.callback is not None:
                entry.callback(outcome)
            if number % OPERATIONS_PER_TURN == 0:
                await self._on_told()
                await asyncio.sleep(0)
        await self._on_told()

    def _keep_for_retry(self, group: list[Entry], error: StoreUnavailable) -> None:
        kept = [entry for entry in group if isinstance(entry.operation, _OF_ATTEMPTS)]
        self._entries[:0] = kept
        self._held = True
        if self.failure is None:
            logger.error("The store failed; %d results of attempts are kept and tried again: %s", len(kept), error)
        self.failure = error
        for entry in group:
            if entry.callback is not None and not isinstance(entry.operation, _OF_ATTEMPTS):
                entry.callback(error)
        self._retry_later()

    def _look_again_after(self, *, wrote: bool) -> None:
        if not wrote:
            # A group of refusals and of nothing to do says nothing about the disk.
            self._retry_later()
            return
        logger.warning("The store takes writes again; all results that were kept are stored")
        self.failure = None
        self._retry_seconds = RETRY_FIRST_SECONDS

    def _retry_later(self) -> None:
        if self._retry_timer is None:
            # With nothing kept too: an empty group finds out whether the store works again.
            self._retry_timer = asyncio.get_running_loop().call_later(self._retry_seconds, self._retry)
            self._retry_seconds = min(self._retry_seconds * 2, RETRY_MAX_SECONDS)

    def _retry(self) -> None:
        self._retry_timer = None
        self._held = False
        self._begin()

    def _begin(self) -> None:
        self._idle.clear()
        self._wake.set()

    def _end_patience(self) -> None:
        # The timer is left to run when its operations have gone along: to set one for each job costs more.
        self._patience = None
        if self._entries:
            self._begin()


def _changes(entry: Entry, outcome: Outcome) -> list[Change]:
    match outcome:
        case Applied():
            evicted = (Change(gone.job, gone.before) for gone in outcome.evicted)
            return [*evicted, *_change(entry.operation, outcome)]
        case Done():
            return [Change(applied.job, applied.before) for applied in outcome.changed]
        case _:
            return []


def _change(operation: Operation, outcome: Applied) -> tuple[Change, ...]:
    log = operation.log if isinstance(operation, Report | Finish) else ()
    if not outcome.changed and not log:
        return ()
    result = operation.ending.result if isinstance(operation, Finish) and outcome.job.has_result else None
    params = operation.params if isinstance(operation, Add) and outcome.before is None else None
    before = outcome.before if outcome.changed else outcome.job.state
    return (Change(outcome.job, before, result, log, params),)
