"""SAQ on Redis: jobs are coroutines of the worker's own loop.

https://saq-py.readthedocs.io/en/latest/worker.html: ``saq SETTINGS --workers N``, each with its default concurrency.
Its clients poll for results (``Queue.map``: a read of all jobs, a pause); one does here for all, as often as pays.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import saq
from redis.asyncio import Redis
from saq.job import TERMINAL_STATUSES
from saq.queue.redis import RedisQueue

from bench.peers.protocol import END_SECONDS, AsyncSystem, Peer
from bench.programs import program
from bench.redis_server import PERSISTENCE, VARIABLE, private_redis
from bench.tasks import TASKS, Call

CONCURRENCY = 10
POLL_SECONDS = 0.001
LOADED_POLL_SECONDS = 0.005
KEYS_WHEN_LOADED = 8
KEYS_PER_POLL = 64
WORKERS_POLL_SECONDS = 0.05
MAIN = f"{__name__}.settings"


def _queue(socket: str) -> RedisQueue:
    return RedisQueue(Redis(unix_socket_path=socket), name="bench")


def _coroutine(function: Callable[..., Any]) -> Any:
    async def task(context: Any, **arguments: Any) -> Any:
        return function(**arguments)

    return task


settings = {
    "queue": _queue(os.environ.get(VARIABLE, "unset")),
    "functions": [(name, _coroutine(function)) for name, function in TASKS.items()],
    "concurrency": CONCURRENCY,
}


class SaqSystem(AsyncSystem):
    """A SAQ queue as a system."""

    def __init__(self, queue: RedisQueue) -> None:
        self._queue = queue
        self._waiting: dict[str, asyncio.Future[saq.Job]] = {}

    async def submit(self, call: Call) -> saq.Job:
        """Enqueue the job."""
        job = await self._queue.enqueue(call.task, **call.arguments)
        assert job is not None
        return job

    async def wait(self, handles: Sequence[saq.Job]) -> list[Any]:
        """Wait for the ends that the poller sees."""
        ended = [self._waiting.setdefault(job.key, asyncio.get_running_loop().create_future()) for job in handles]
        return [_result(await future) for future in ended]

    async def workers_are_up(self, number: int) -> None:
        """Wait for the workers: their first sweep takes a job that comes meanwhile for one that was left behind."""
        async with asyncio.timeout(END_SECONDS):
            while len((await self._queue.info())["workers"]) < number:  # noqa: ASYNC110
                await asyncio.sleep(WORKERS_POLL_SECONDS)

    async def poll(self) -> None:
        """Look at the oldest jobs that are waited for, again and again: one reader for all clients."""
        while True:
            keys = list(itertools.islice(self._waiting, KEYS_PER_POLL))
            for job in await self._queue.jobs(keys) if keys else ():
                if job is not None and job.status in TERMINAL_STATUSES:
                    self._waiting.pop(job.key).set_result(job)
            await asyncio.sleep(LOADED_POLL_SECONDS if len(self._waiting) > KEYS_WHEN_LOADED else POLL_SECONDS)


def _result(job: saq.Job) -> Any:
    if job.status != saq.Status.COMPLETE:
        raise RuntimeError(f"job {job.key} is {job.status}: {job.error}")
    return job.result


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[SaqSystem]:
    """Start ``saq``."""
    with private_redis(folder) as socket:
        queue = _queue(str(socket))
        await queue.connect()
        with program(("-m", "saq", MAIN, "--workers", str(workers), "--quiet"), folder):
            system = SaqSystem(queue)
            await system.workers_are_up(workers)
            async with asyncio.TaskGroup() as group:
                poller = group.create_task(system.poll())
                yield system
                poller.cancel()
        await queue.disconnect()


SETTINGS = (
    f"{CONCURRENCY} jobs at once a process (its default), not isolated; one reader of results polls every "
    f"{POLL_SECONDS * 1000:g} to {LOADED_POLL_SECONDS * 1000:g} ms; results kept 10 minutes; {PERSISTENCE}"
)
PEERS = {"saq": Peer("SAQ", SETTINGS, ("saq", "redis", "hiredis"), start)}
