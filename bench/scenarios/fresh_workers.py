"""``isolation: "fresh"``: a worker process of its own for each job."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.load import burst_seconds
from bench.peers.ours import manager_running
from bench.scenarios import Figures
from bench.statistics import centile
from bench.tasks import NOOP

WORKERS = 2
CLIENTS = 8
PACED_JOBS = 10
PACE_SECONDS = 1.0
SUSTAINED_JOBS_MIN = 20


async def measure(folder: Path, seconds: float) -> Figures:
    """Jobs a second apart, then as many at once as keep it busy for a while."""
    workers = {"min": WORKERS, "isolation": "fresh"}
    async with manager_running(folder / "queue.db", WORKERS, workers=workers) as system:
        latencies = []
        for _ in range(PACED_JOBS):
            await asyncio.sleep(PACE_SECONDS)
            begin = time.perf_counter()
            await system.wait([await system.submit(NOOP)])
            latencies.append((time.perf_counter() - begin) * 1000)
        jobs = max(SUSTAINED_JOBS_MIN, round(10 * seconds))
        taken = await burst_seconds(system, NOOP, jobs, CLIENTS)
    return {
        "fresh_paced_p50_ms": centile(latencies, 50),
        "fresh_paced_max_ms": max(latencies),
        "fresh_sustained_jobs_per_second": jobs / taken,
    }
