"""docket on Redis streams: jobs are coroutines of the worker's own loop.

https://github.com/chrisguidry/docket/blob/main/docs/production.md: a worker and its concurrency; the minimum
check interval decides how soon an idle worker looks again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from docket import Docket, Worker

from bench.peers.protocol import END_SECONDS, AsyncSystem, Peer
from bench.programs import programs
from bench.redis_server import PERSISTENCE, private_redis, socket_path
from bench.tasks import TASKS, Call

CONCURRENCY = 10
CHECK_INTERVAL_MS = 5
DOCKET = "bench"


def _coroutine(name: str, function: Callable[..., Any]) -> Any:
    async def task(**arguments: Any) -> Any:
        return function(**arguments)

    task.__name__ = task.__qualname__ = name
    return task


tasks = [_coroutine(name, function) for name, function in TASKS.items()]


class DocketSystem(AsyncSystem):
    """A docket as a system."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self._tasks = {task.__name__: task for task in tasks}

    async def submit(self, call: Call) -> Any:
        """Add the task: each ``add`` is a key of its own."""
        return await self._docket.add(self._tasks[call.task])(**call.arguments)

    async def wait(self, handles: Sequence[Any]) -> list[Any]:
        """Wait for each result, which Redis publishes."""
        return [await execution.get_result(timeout=timedelta(seconds=END_SECONDS)) for execution in handles]


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[DocketSystem]:
    """Start so many workers."""
    with private_redis(folder) as socket:
        url = f"unix://{socket}"
        async with Docket(DOCKET, url=url) as docket:
            with programs(("-m", __name__), folder, workers):
                yield DocketSystem(docket)


async def work() -> None:
    """Be a worker: ``docket worker`` takes intervals of whole seconds only."""
    async with Docket(DOCKET, url=f"unix://{socket_path()}") as docket:
        for task in tasks:
            docket.register(task)
        interval = timedelta(milliseconds=CHECK_INTERVAL_MS)
        name = f"worker-{os.getpid()}"
        async with Worker(docket, name=name, concurrency=CONCURRENCY, minimum_check_interval=interval) as worker:
            await worker.run_forever()


SETTINGS = (
    f"{CONCURRENCY} jobs at once a process (its default), not isolated; checks every {CHECK_INTERVAL_MS} ms; "
    f"results kept 15 minutes; {PERSISTENCE}"
)
PEERS = {"docket": Peer("docket", SETTINGS, ("pydocket", "redis", "hiredis"), start)}

if __name__ == "__main__":
    asyncio.run(work())
