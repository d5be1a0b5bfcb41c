"""RQ: once with its worker for production, a fork per job, and once with the one that runs jobs itself.

https://github.com/rq/rq/blob/master/docs/benchmark.md: run Worker or SpawnWorker in production; SimpleWorker only for
extremely short jobs that are trusted not to crash, leak or hang, as it isolates nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
import rq

from bench.peers.protocol import END_SECONDS, BlockingSystem, Peer
from bench.programs import program
from bench.redis_server import PERSISTENCE, private_redis
from bench.tasks import TASKS, Call

QUEUE = "bench"


class RqSystem(BlockingSystem):
    """An RQ queue as a system."""

    def __init__(self, socket: Path) -> None:
        self._queue = rq.Queue(QUEUE, connection=redis.Redis(unix_socket_path=str(socket)))

    def submit(self, call: Call) -> rq.job.Job:
        """Enqueue the function."""
        return self._queue.enqueue(TASKS[call.task], **call.arguments)

    def wait(self, handles: Sequence[rq.job.Job]) -> list[Any]:
        """Block on each job's stream of results."""
        return [self._result(job) for job in handles]

    def _result(self, job: rq.job.Job) -> Any:
        result = job.latest_result(timeout=int(END_SECONDS))
        if result is None or result.type is not result.Type.SUCCESSFUL:
            raise RuntimeError(f"job {job.id} did not succeed: {result}")
        return result.return_value


@asynccontextmanager
async def start(worker_class: str, folder: Path, workers: int) -> AsyncIterator[RqSystem]:
    """Start ``rq worker-pool``."""
    with private_redis(folder) as socket:
        pool = ("-m", "rq.cli", "worker-pool", QUEUE, "--num-workers", str(workers), "--logging-level", "ERROR")
        url = f"unix://{socket}"
        with program((*pool, "--url", url, "--worker-class", worker_class, "--quiet"), folder):
            yield RqSystem(socket)


def _peer(name: str, worker_class: str) -> Peer:
    settings = f"{worker_class}, rq worker-pool; results kept 500 s; {PERSISTENCE}"
    return Peer(name, settings, ("rq", "redis"), partial(start, worker_class))


PEERS = {"rq": _peer("RQ", "rq.worker.Worker"), "rq-simple": _peer("RQ, SimpleWorker", "rq.worker.SimpleWorker")}
