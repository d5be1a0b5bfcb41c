"""A job that prints 100,000 lines: none is lost, and others hardly wait longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.load import calibrated_jobs, latencies_ms
from bench.peers.ours import Ours, manager_running
from bench.scenarios import Figures
from bench.statistics import centile
from bench.tasks import NOOP, Call

LINES = 100_000
WORKERS = 2
CLIENTS = 8


async def measure(folder: Path, seconds: float) -> Figures:
    """Latencies of no-op jobs for so long without, then beside one printing job after the other."""
    async with manager_running(folder / "queue.db", WORKERS) as system:
        await calibrated_jobs(system, NOOP, seconds, CLIENTS)
        before = await latencies_ms(system, NOOP, seconds)
        printing = asyncio.create_task(_print(system, seconds))
        during = await latencies_ms(system, NOOP, seconds)
        job_ids = await printing
        log = await system.manager.get_job_logs(job_ids[0])
    return {
        "printing_lost_lines": LINES - len(log["stdout"]),
        "printing_jobs_per_second": len(job_ids) / seconds,
        "printing_before_p50_ms": centile(before, 50),
        "printing_during_p50_ms": centile(during, 50),
        "printing_before_p99_ms": centile(before, 99),
        "printing_during_p99_ms": centile(during, 99),
        "printing_latency_ratio": centile(during, 50) / centile(before, 50),
    }


async def _print(system: Ours, seconds: float) -> list[str]:
    """Print in one job after the other for so long; their ids."""
    job_ids = []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        job_id = await system.submit(Call("print", {"lines": LINES}))
        await system.wait([job_id])
        job_ids.append(job_id)
    return job_ids
