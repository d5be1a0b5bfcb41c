"""Celery with Redis as broker and result backend, in its prefork pool.

https://docs.celeryq.dev/en/stable/userguide/optimizing.html: short tasks want a large prefetch multiplier (64 or 128);
a durable task acknowledges late. Events, gossip, mingle and heartbeats are off, as nothing watches here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import celery

from bench.peers.protocol import END_SECONDS, BlockingSystem, Peer
from bench.programs import program
from bench.redis_server import PERSISTENCE, VARIABLE, private_redis
from bench.tasks import TASKS, Call

PREFETCH_MULTIPLIER = 64
CLIENTS_MAX = 256
MAIN = f"{__name__}:app"


def _application(socket: str) -> celery.Celery:
    application = celery.Celery(
        "bench", broker=f"redis+socket://{socket}", backend=f"redis+socket://{socket}?virtual_host=1"
    )
    application.conf.update(
        task_acks_late=True,
        worker_prefetch_multiplier=PREFETCH_MULTIPLIER,
        broker_pool_limit=CLIENTS_MAX,
        task_send_sent_event=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
    )
    return application


app = _application(os.environ.get(VARIABLE, "unset"))
for _name, _function in TASKS.items():
    app.task(_function, name=_name)


class CelerySystem(BlockingSystem):
    """A Celery application as a system."""

    def __init__(self, application: celery.Celery) -> None:
        self._tasks = {name: application.task(function, name=name) for name, function in TASKS.items()}

    def submit(self, call: Call) -> celery.result.AsyncResult:
        """Send the task."""
        return self._tasks[call.task].apply_async(kwargs=call.arguments)

    def wait(self, handles: Sequence[celery.result.AsyncResult]) -> list[Any]:
        """Wait for each result, which Redis publishes."""
        return [handle.get(timeout=END_SECONDS) for handle in handles]


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[CelerySystem]:
    """Start ``celery worker``."""
    with private_redis(folder) as socket:
        pool = (
            "-m",
            "celery",
            "-A",
            MAIN,
            "--quiet",
            "worker",
            "--pool",
            "prefork",
            "--concurrency",
            str(workers),
            "-O",
            "fair",
        )
        silent = ("--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
        with program((*pool, *silent), folder, {"C_FORCE_ROOT": "1"}):
            yield CelerySystem(_application(str(socket)))


SETTINGS = f"prefork, -O fair, acks_late, prefetch multiplier {PREFETCH_MULTIPLIER}; results kept a day; {PERSISTENCE}"
PEERS = {"celery": Peer("Celery", SETTINGS, ("celery", "kombu", "redis"), start)}
