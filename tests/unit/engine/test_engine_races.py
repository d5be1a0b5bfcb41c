"""Stops and deletions against everything else that can happen to a job, at random moments."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from tests.unit.engine.races import ENDS, Racer, SlowStore, counts, racetrack

RACE_SECONDS = 3.0
RACERS = 12


Make = Callable[[Path, random.Random], JobStore]

STORES: dict[str, Make] = {
    "memory": lambda _, __: MemoryStore(system_clock()),
    "slow": lambda folder, chance: SlowStore(folder / "queue.db", chance),
    "failing": lambda folder, chance: SlowStore(folder / "queue.db", chance, failing=0.1),
}


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
@pytest.mark.parametrize("max_jobs", [None, 8], ids=["free", "evicting"])
async def test_whatever_meets_whatever_there_is_one_outcome(
    make: Make, max_jobs: int | None, chance: random.Random, tmp_path: Path
) -> None:
    await race_for_a_while(make(tmp_path, chance), chance, tmp_path, limits=LimitRules(max_jobs=max_jobs))


async def test_a_job_that_is_retried_again_and_again_ends_once_each_time(chance: random.Random, tmp_path: Path) -> None:
    await race_for_a_while(SlowStore(tmp_path / "queue.db", chance), chance, tmp_path, ("stop", "retry", "retry"))


async def race_for_a_while(
    store: JobStore, chance: random.Random, folder: Path, verbs: Sequence[str] = ENDS, **changes: object
) -> None:
    racers: list[Racer] = []
    async with racetrack(store, **changes) as host:
        end = time.monotonic() + RACE_SECONDS
        while time.monotonic() < end:
            batch = [Racer(host, chance, str(len(racers) + number), folder, verbs) for number in range(RACERS)]
            racers += batch
            await asyncio.gather(*(racer.race() for racer in batch))
        for racer in racers:
            await racer.check()
    print(len(racers), counts(racers))
