"""The stores that keep the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import ManualClock


class Bench(Protocol):
    """A store under test, its clock, and a way to let its server die and come back."""

    store: JobStore
    clock: ManualClock

    async def restart(self) -> Sequence[Job]:
        """Close the store, open it again, and answer what the recovery changed."""
        ...


class MemoryBench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store: JobStore = MemoryStore(self.clock)

    async def restart(self) -> Sequence[Job]:
        await self.store.close()
        return await self.store.open()


class SqliteBench:
    def __init__(self, path: Path, durability: str) -> None:
        self.clock = ManualClock()
        self._path = path
        self._full = durability == "full"
        self.store: JobStore = self._new()

    async def restart(self) -> Sequence[Job]:
        await self.store.close()
        self.store = self._new()
        return await self.store.open()

    def _new(self) -> SqliteStore:
        return SqliteStore(self._path, durability="full" if self._full else "normal", clock=self.clock)


@pytest.fixture(params=["memory", "sqlite full", "sqlite normal"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    backend, _, durability = request.param.partition(" ")
    bench = MemoryBench() if backend == "memory" else SqliteBench(tmp_path / "jobs.db", durability)
    assert await bench.store.open() == []
    yield bench
    await bench.store.close()


@pytest.fixture
def store(bench: Bench) -> JobStore:
    return bench.store
