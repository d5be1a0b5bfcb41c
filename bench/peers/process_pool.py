"""``concurrent.futures.ProcessPoolExecutor``: nothing is stored, nothing survives; what isolation alone costs."""

from __future__ import annotations

import multiprocessing
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.peers.protocol import END_SECONDS, BlockingSystem, Peer
from bench.tasks import TASKS, Call


class Pool(BlockingSystem):
    """The executor as a system."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def submit(self, call: Call) -> Future[Any]:
        """Hand in a job."""
        return self._executor.submit(TASKS[call.task], **call.arguments)

    def wait(self, handles: Sequence[Future[Any]]) -> list[Any]:
        """Wait for the futures."""
        return [handle.result(END_SECONDS) for handle in handles]


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[Pool]:
    """Start so many processes by spawn: safe where threads run, as in a server."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield Pool(executor)


PEERS = {"process-pool": Peer("ProcessPoolExecutor", "spawn; nothing stored", (), start)}
