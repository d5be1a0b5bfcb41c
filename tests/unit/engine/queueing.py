"""What the tests of queues, limits, retries and times ask of an engine, beside the verbs of the harness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Any

from mcp_queue_plugin.clock import Clock, system_clock
from mcp_queue_plugin.engine.values import Answer, QueueReport
from mcp_queue_plugin.errors import JobNotFound, QueueError
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.store.protocol import JobStore
from tests.unit.engine.harness import WAIT_SECONDS, Host, answered
from tests.unit.workers.harness import POLL_SECONDS

HOUR_SECONDS = 3600.0

MakeStore = Callable[[Clock], JobStore]
"""Makes a store that stamps with a clock."""


class JumpingClock:
    """The right time, until somebody sets it."""

    def __init__(self) -> None:
        self._right = system_clock()
        self._ahead_seconds = 0.0

    def __call__(self) -> float:
        return self._right() + self._ahead_seconds

    def jump(self, seconds: float) -> None:
        """Set it forward, or back."""
        self._ahead_seconds += seconds


def hand_in(host: Host, submission: Submission, value: Any = None, *, start: bool = True) -> Awaitable[Answer]:
    """Hand in what the harness has no words for; what is not awaited is asked for all the same."""
    params = json.dumps(value).encode()
    return answered(lambda reply: host.engine.submit(submission, params, start=start, reply=reply))


async def retry(host: Host, job_id: str) -> Answer:
    """Queue a job again that has ended."""
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def settle(answer: Answer | QueueError) -> None:
        if isinstance(answer, QueueError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    await host.engine.retry(job_id, reply=settle)
    return await asyncio.wait_for(future, WAIT_SECONDS)


async def ends(host: Host, job_ids: Iterable[str]) -> list[Job]:
    """The records of jobs, in this order, once all have ended."""
    return [(await host.end(job_id)).job for job_id in job_ids]


async def becomes(host: Host, job_id: str, state: str) -> Job:
    """The record of a job as soon as it stands in ``state``."""
    job = (await host.status(job_id)).job
    while job.state != state:
        answer = await host.status(job_id, wait_seconds=WAIT_SECONDS, known_version=job.version)
        assert not answer.timed_out, answer.job
        job = answer.job
    return job


async def disappears(host: Host, *job_ids: str) -> None:
    """Wait until nobody knows these jobs any more."""
    async with asyncio.timeout(WAIT_SECONDS):
        for job_id in job_ids:
            with suppress(JobNotFound):
                while True:
                    await host.status(job_id)
                    await asyncio.sleep(POLL_SECONDS)


async def report(host: Host, queue: str) -> QueueReport:
    """A queue in numbers."""
    return next(found for found in (await host.engine.health()).queues if found.name == queue)


def started_in_order(jobs: Iterable[Job]) -> list[Job]:
    """Jobs that ran, by the start of their last attempt."""
    return sorted(jobs, key=lambda job: job.started_at or 0.0)


def pauses(jobs: Iterable[Job]) -> list[float]:
    """The seconds from the end of each job to the start of the one that started after it."""
    ran = started_in_order(jobs)
    return [(later.started_at or 0) - (job.completed_at or 0) for job, later in pairwise(ran)]
