"""Dramatiq with Redis as broker and result backend.

https://redis.io/docs/latest/integrate/dramatiq/ and https://dramatiq.io/guide.html: the Results middleware on a Redis
backend in a database of its own; processes and threads are options of the command line.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.peers.protocol import END_SECONDS, BlockingSystem, Peer
from bench.programs import program
from bench.redis_server import PERSISTENCE, VARIABLE, private_redis
from bench.tasks import TASKS, Call

THREADS = 8
MAIN = f"{__name__}:broker"


def _broker(socket: str) -> RedisBroker:
    result = RedisBroker(url=f"unix://{socket}")
    result.add_middleware(Results(backend=RedisBackend(url=f"unix://{socket}?db=1")))
    return result


def _actors(broker: RedisBroker) -> dict[str, Any]:
    return {
        name: dramatiq.actor(function, actor_name=name, broker=broker, store_results=True)
        for name, function in TASKS.items()
    }


broker = _broker(os.environ.get(VARIABLE, "unset"))
_actors(broker)


class DramatiqSystem(BlockingSystem):
    """A Dramatiq broker as a system."""

    def __init__(self, broker: RedisBroker) -> None:
        self._actors = _actors(broker)

    def submit(self, call: Call) -> Any:
        """Send the message."""
        return self._actors[call.task].send(**call.arguments)

    def wait(self, handles: Sequence[Any]) -> list[Any]:
        """Block on each result in Redis."""
        return [message.get_result(block=True, timeout=int(END_SECONDS * 1000)) for message in handles]


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[DramatiqSystem]:
    """Start ``dramatiq``."""
    with private_redis(folder) as socket:
        own = _broker(str(socket))
        system = DramatiqSystem(own)
        dramatiq.set_broker(own)
        with program(("-m", "dramatiq", MAIN, "--processes", str(workers), "--threads", str(THREADS)), folder):
            yield system


SETTINGS = f"{THREADS} threads a process (its default); results kept 10 minutes; {PERSISTENCE}"
PEERS = {"dramatiq": Peer("Dramatiq", SETTINGS, ("dramatiq", "redis"), start)}
