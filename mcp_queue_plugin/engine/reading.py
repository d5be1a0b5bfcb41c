"""The verbs that look and wait: records, logs, lists and health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from mcp_queue_plugin.engine.adopted import AdoptedJobs
from mcp_queue_plugin.engine.commits import Change
from mcp_queue_plugin.engine.log_watch import LogWatchers
from mcp_queue_plugin.engine.loops import Soon
from mcp_queue_plugin.engine.places import Places
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.values import Answer, Listing, Reply
from mcp_queue_plugin.engine.watch import Until, Watch, Watchers
from mcp_queue_plugin.errors import JobNotFound, QueueError, StoreUnavailable
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import Counts, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.states import ENDED_STATES, PENDING_STATES
from mcp_queue_plugin.store.protocol import JobStore


class Outline(NamedTuple):
    """The jobs in numbers, as they were when the store could be read last; ``failure`` says why it cannot be now."""

    counts: Counts
    oldest_queued_at: float | None
    failure: StoreUnavailable | None = None


_Asked = tuple[str, str | None]
"""A job's public id, and the owner to whom it has to belong; None for any."""


class Reading:
    """Answers from the store, at once or as soon as there is something to tell."""

    def __init__(self, store: JobStore, adopted: AdoptedJobs, places: Places) -> None:
        """Read ``store``; ``adopted`` knows the jobs whose record is not committed yet."""
        self._store = store
        self._adopted = adopted
        self._places = places
        self._log_watchers = LogWatchers()
        self._unplaced: list[tuple[Answer, Reply]] = []
        """The answers that lack the place of their job."""
        self._tell_places_soon = Soon(self._tell_places_of_others)
        self._outline = Outline(Counts(by_state={}), None)
        self.watchers = Watchers()

    @property
    def waiting_calls(self) -> int:
        """How many calls wait for something to tell."""
        return len(self.watchers) + len(self._log_watchers)

    def on_committed(self, change: Change) -> None:
        """Wake who waits for this change."""
        job = change.job
        self.watchers.notify(job, change.result)
        self._log_watchers.notify(job.job_id, change.log, complete=job.state in ENDED_STATES)

    async def status(
        self,
        job_id: str,
        *,
        owner: str | None = None,
        wait_seconds: float | None,
        until: Until,
        known_version: int | None,
        reply: Reply,
    ) -> Watch | None:
        """Answer a job's record, at once or when it is what ``until`` says, at the latest after ``wait_seconds``.

        With ``owner``, here and below, only a job that is theirs: to them no other exists. An answer that is still to
        come can be called off by what is returned.

        Raises:
            JobNotFound: no such job.
        """
        job = await self.found(job_id, owner)

        def on_over(over: Job | None, result: bytes | None) -> None:
            self._answer((job_id, owner), over, result, reply)

        if wait_seconds is None:
            on_over(job, None)
            return None
        return self.watchers.add(
            job, until=until, known_version=known_version, timeout_seconds=wait_seconds, callback=on_over
        )

    async def log(
        self, job_id: str, query: LogQuery, wait_seconds: float | None = None, *, owner: str | None = None
    ) -> LogPage:
        """One page of a job's log; an empty one only after ``wait_seconds``, or when the job writes no more.

        Raises:
            JobNotFound: no such job.
        """
        job = await self.found(job_id, owner)
        if wait_seconds is None or job.state in ENDED_STATES:
            return await self._store.log_page(job.uid, query)
        # It watches before it reads: no line can slip in between.
        with self._log_watchers.watching(job_id, query.stream) as watch:
            page = await self._store.log_page(job.uid, query)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    while not page.entries and not watch.complete:
                        await watch.told()
                        query = msgspec.structs.replace(query, cursor=page.next_cursor)
                        page = await self._store.log_page(job.uid, query)
            return page

    async def list_jobs(self, query: JobQuery, *, with_places: bool = False) -> Listing:
        """One page of jobs."""
        page = await self._store.list_jobs(query)
        return Listing(page=page, places=dict(await self._places.of(page.jobs)) if with_places else {})

    async def outline(self) -> Outline:
        """The jobs in numbers."""
        try:
            self._outline = Outline(await self._store.counts(), await self._store.oldest_queued_at())
        except StoreUnavailable as error:
            return self._outline._replace(failure=error)
        return self._outline

    async def found(self, job_id: str, owner: str | None = None) -> Job:
        """The record of a job.

        Raises:
            JobNotFound: no such job.
        """
        await self._adopted.settled(job_id)
        job = await self._store.get(job_id)
        if job is None or not job.is_visible_to(owner):
            raise JobNotFound(job_id)
        return job

    def placed(self, reply: Reply) -> Reply:
        """A reply that also tells where a pending job stands: in the next turn of the loop, or with ``tell_places``."""

        def reply_with_place(answer: Answer | QueueError) -> None:
            if isinstance(answer, Answer) and answer.job.state in PENDING_STATES:
                self._unplaced.append((answer, reply))
                self._tell_places_soon()
            else:
                reply(answer)

        return reply_with_place

    async def tell_places(self) -> None:
        """Send the answers that lack nothing but the place of their job, after one look at the store for all."""
        if not self._unplaced:
            return
        answers, self._unplaced = self._unplaced, []
        places: Mapping[int, Place] = {}
        # What is committed is answered, even if nobody can tell where it stands: an error would say the opposite.
        with suppress(StoreUnavailable):
            places = await self._places.of([answer.job for answer, _ in answers])
        for answer, reply in answers:
            reply(answer._replace(place=places.get(answer.job.uid)))

    def _tell_places_of_others(self) -> None:
        if self._unplaced:
            spawn(self.tell_places(), name="places")

    def _answer(self, asked: _Asked, job: Job | None, result: bytes | None, reply: Reply) -> None:
        """Answer with ``job``, or with the record as it stands when the wait ended without its reason."""
        if job is not None and (result is not None or not job.has_result):
            reply(Answer(job, result))
            return
        spawn(self._read_answer(asked, job, reply), name="answer")

    async def _read_answer(self, asked: _Asked, job: Job | None, reply: Reply) -> None:
        try:
            found = job or await self.found(*asked)
            result = await self._store.result(found.uid) if found.has_result else None
            if result is None and found.has_result:
                # It was deleted, or is tried again, since its record was read.
                found = await self.found(*asked)
        except QueueError as error:
            reply(error)
        else:
            reply(Answer(found, result, timed_out=job is None))
