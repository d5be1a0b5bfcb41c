"""What several of the engine's tests need: stores to run over where it matters which, and chance."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.unit.engine.queueing import MakeStore


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> MakeStore:
    """Makes the same store whenever it is asked to: with what was in it before."""
    memory: list[JobStore] = []

    def make(clock: Clock) -> JobStore:
        if request.param == "sqlite":
            return SqliteStore(tmp_path / "queue.db", durability="normal", clock=clock)
        if not memory:
            memory.append(MemoryStore(clock))
        return memory[0]

    return make


@pytest.fixture
def chance() -> random.Random:
    """Chance, by a seed that is shown when the test fails."""
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)
