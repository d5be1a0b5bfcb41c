"""Huey on SQLite, its own answer to a queue without a server.

https://huey.readthedocs.io/en/latest/consumer.html: worker type ``process`` for CPU-bound work; the delays say how
often a storage that is polled is looked at. They are as short as pays on two cores. fsync is off: its fastest mode.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from huey import SqliteHuey

from bench.peers.protocol import END_SECONDS, BlockingSystem, Peer
from bench.programs import program
from bench.tasks import TASKS, Call

VARIABLE = "BENCH_HUEY_FILE"
MAIN = f"{__name__}.huey"
WORKER_POLL_SECONDS = 0.001
WORKER_POLL_MAX_SECONDS = 0.005
RESULT_POLL_SECONDS = 0.001


def _huey(path: str) -> SqliteHuey:
    return SqliteHuey("bench", filename=path, fsync=False, journal_mode="wal", timeout=30, store_none=True)


def _tasks(instance: SqliteHuey) -> dict[str, Any]:
    return {name: instance.task(name=name)(function) for name, function in TASKS.items()}


huey = _huey(os.environ.get(VARIABLE, ":memory:"))
_tasks(huey)


class HueySystem(BlockingSystem):
    """A Huey instance as a system."""

    def __init__(self, instance: SqliteHuey) -> None:
        self._tasks = _tasks(instance)
        self._polling = threading.Lock()

    def submit(self, call: Call) -> Any:
        """Enqueue the task."""
        return self._tasks[call.task](**call.arguments)

    def wait(self, handles: Sequence[Any]) -> list[Any]:
        """Poll for each result and leave it in the store; one client at a time, or they starve the workers."""
        with self._polling:
            poll = {"blocking": True, "timeout": END_SECONDS, "max_delay": RESULT_POLL_SECONDS, "preserve": True}
            return [handle.get(**poll) for handle in handles]


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[HueySystem]:
    """Start ``huey_consumer``."""
    path = str(folder / "huey.db")
    instance = _huey(path)
    consumer = ("-m", "huey.bin.huey_consumer", MAIN, "--worker-type", "process", "--workers", str(workers), "--quiet")
    polling = ("--delay", str(WORKER_POLL_SECONDS), "--max-delay", str(WORKER_POLL_MAX_SECONDS), "--no-periodic")
    with program((*consumer, *polling), folder, {VARIABLE: path}):
        yield HueySystem(instance)
    instance.storage.close()


SETTINGS = (
    f"SQLite (WAL), fsync off; worker processes that poll every {WORKER_POLL_SECONDS * 1000:g} to "
    f"{WORKER_POLL_MAX_SECONDS * 1000:g} ms, clients every {RESULT_POLL_SECONDS * 1000:g} ms; results kept"
)
PEERS = {"huey": Peer("Huey, SQLite", SETTINGS, ("huey",), start)}
