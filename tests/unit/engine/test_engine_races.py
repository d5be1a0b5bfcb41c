"""Stops and deletions against everything else that can happen to a job, at random moments."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from tests.unit.engine.races import Racer, SlowStore, counts, racetrack

RACE_SECONDS = 5.0
RACERS = 12


@pytest.fixture
def chance() -> random.Random:
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("max_jobs", [None, 8], ids=["free", "evicting"])
async def test_one_outcome(kind: str, max_jobs: int | None, chance: random.Random, tmp_path: Path) -> None:
    store: JobStore = MemoryStore(system_clock()) if kind == "memory" else SlowStore(tmp_path / "queue.db", chance)
    racers: list[Racer] = []
    async with racetrack(store, limits=LimitRules(max_jobs=max_jobs)) as host:
        end = time.monotonic() + RACE_SECONDS
        while time.monotonic() < end:
            batch = [Racer(host, chance, f"{len(racers) + number}", tmp_path) for number in range(RACERS)]
            racers += batch
            await asyncio.gather(*(racer.race() for racer in batch))
        for racer in racers:
            await racer.check()
    print(len(racers), counts(racers))
