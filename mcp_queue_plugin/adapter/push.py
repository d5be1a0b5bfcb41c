"""The adapter's push to WebSocket clients, fed by committed changes: a job is waited for, never polled."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from contextvars import Context

from fastapi import FastAPI

from mcp_queue_plugin.adapter.bridge.push import STEP_SECONDS, Delivery, PushEngine, replace_push
from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.adapter.results import job_result
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import QueueError

WAIT_SECONDS = 60.0
"""How long one wait for a change lasts: as long the engine may keep it for a job that nobody follows any more."""

RETRY_FIRST_SECONDS = 0.1
RETRY_MAX_SECONDS = 2.0

logger = logging.getLogger(__name__)


def install() -> None:
    """Put this push in place of the adapter's."""
    replace_push(CommittedPush)


class CommittedPush(PushEngine):
    """Follows every job that somebody is subscribed to."""

    def __init__(self, app: FastAPI) -> None:
        """Serve the subscribers of ``app``."""
        super().__init__(app)
        self._followed: dict[str, FollowedJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, job_id: str) -> None:
        """Deliver every change of a job, unless that is being done."""
        if job_id not in self._followed:
            self._followed[job_id] = job = FollowedJob(self, job_id)
            # In a context of its own: it delivers to all subscribers, whoever was the first.
            task = asyncio.get_running_loop().create_task(self._run(job), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def between_deliveries(self, job_id: str) -> AbstractAsyncContextManager[object]:
        """A context in which nothing is delivered of a job."""
        job = self._followed.get(job_id)
        return nullcontext() if job is None else job.delivering

    def wake(self, job_id: str) -> None:
        """A job has ended: one that could not be read before is looked for at once. Callable from any thread."""
        job = self._followed.get(job_id)
        if job is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(job.hurry.set)

    async def serve(self) -> None:
        """Follow jobs until this is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: FollowedJob) -> None:
        try:
            while self.has_audience(job.job_id):
                await job.deliver_next()
        finally:
            # In the same turn of the loop as the last look for an audience: a new one then begins anew.
            del self._followed[job.job_id]
            self.forget(job.job_id)


class FollowedJob:
    """One job that is followed, from change to change."""

    def __init__(self, push: PushEngine, job_id: str) -> None:
        """Deliver through ``push``."""
        self.job_id = job_id
        self.delivering = asyncio.Lock()
        self.hurry = asyncio.Event()
        self._push = push
        self._version: int | None = None
        """The last that was delivered; None to begin with how the job stands."""
        self._is_paced = False
        self._retry_seconds = RETRY_FIRST_SECONDS

    async def deliver_next(self) -> None:
        """Wait for the next change and deliver it. What fails, or is not there yet, is tried again."""
        self.hurry.clear()
        try:
            answer = await self._next_state()
            is_told = answer.job.version == self._version or await self._tell(answer)
        except QueueError as error:
            logger.debug("Job %s cannot be followed now: %s", self.job_id, error)
            is_told = False
        except Exception:
            # The border to the application's push handlers.
            logger.exception("A change of job %s could not be pushed, which is tried again", self.job_id)
            is_told = False
        if is_told:
            self._retry_seconds = RETRY_FIRST_SECONDS
        else:
            await self._pause()

    async def _next_state(self) -> Answer:
        engine = running_manager().engine
        if self._is_paced:
            # What lies between two steps is skipped; the end is not held up.
            self._is_paced = False
            return await engine.status(self.job_id, wait_seconds=STEP_SECONDS, until="end")
        if self._version is None:
            return await engine.status(self.job_id)
        return await engine.status(self.job_id, wait_seconds=WAIT_SECONDS, known_version=self._version)

    async def _tell(self, answer: Answer) -> bool:
        """Deliver a state; answers whether that is done with."""
        self._version = None
        async with self.delivering:
            delivery = await self._push.deliver(self.job_id, job_result(answer), answer.job)
        if delivery in (Delivery.SENT, Delivery.PACED):
            self._version = answer.job.version
        self._is_paced = delivery in (Delivery.PACED, Delivery.HELD_BACK)
        return delivery is not Delivery.FAILED

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._retry_seconds):
                await self.hurry.wait()
        self._retry_seconds = min(2 * self._retry_seconds, RETRY_MAX_SECONDS)
