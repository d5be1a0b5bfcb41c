"""A client of a real engine in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.notices import ClientEvents
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.workers.protocol import Ready
from tests.unit.engine.harness import SETUP, WAIT_SECONDS, options, submission


class Notices(ClientEvents):
    """What the engine told the server by itself."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.stop_adopted: list[str] = []
        self.ready: list[Ready] = []
        self.lost = self.revived = 0
        self.in_process: tuple[str, ...] = ()

    def on_ended(self, job_ids: tuple[str, ...]) -> None:
        self.ended.extend(job_ids)

    def on_stop_adopted(self, job_id: str) -> None:
        self.stop_adopted.append(job_id)

    def on_ready(self, ready: Ready) -> None:
        self.ready.append(ready)

    def on_lost(self) -> None:
        self.lost += 1

    def on_revived(self) -> None:
        self.revived += 1

    def jobs_in_process(self) -> tuple[str, ...]:
        return self.in_process


def warden_of(client: EngineClient) -> psutil.Process:
    assert client.pid is not None
    return psutil.Process(client.pid)


def engine_of(client: EngineClient) -> psutil.Process:
    (engine,) = warden_of(client).children()
    return engine


async def submit(client: EngineClient, job_id: str, task: str = "echo", params: bytes = b"1") -> Answer:
    return await client.submit(submission(job_id, task), params, start=True)


async def end(client: EngineClient, job_id: str) -> Answer:
    answer = await client.status(job_id, wait_seconds=WAIT_SECONDS, until="end")
    assert not answer.timed_out, answer.job
    return answer


async def started(folder: Path, events: ClientEvents | None = None, **changes: Any) -> EngineClient:
    """A client whose engine keeps its jobs in ``folder``; whoever asks for it closes it."""
    client = EngineClient(events or Notices())
    settings = {"path": str(folder / "queue.db"), "temporary": False, **changes}
    await client.start(options(**settings))
    return client


@asynccontextmanager
async def connected(
    folder: Path, events: ClientEvents | None = None, *, warm: bool = False, **changes: Any
) -> AsyncIterator[EngineClient]:
    """``started``, closed afterwards."""
    client = await started(folder, events, **changes)
    try:
        if warm:
            await client.warm_up(SETUP)
        yield client
    finally:
        await client.close(0)
