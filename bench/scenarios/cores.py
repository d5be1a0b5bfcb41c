"""Jobs that compute for 10 ms, on one worker process and on two: how ours scales with cores."""

from __future__ import annotations

from pathlib import Path

from bench.load import burst_seconds, calibrated_jobs
from bench.peers.ours import manager_running
from bench.scenarios import Figures
from bench.tasks import SPIN

CLIENTS = 64


async def measure(folder: Path, seconds: float) -> Figures:
    """A burst of about so many seconds on each."""
    rates = [await _rate(folder / f"{workers}.db", workers, seconds) for workers in (1, 2)]
    return {
        "cores_1_worker_jobs_per_second": rates[0],
        "cores_2_workers_jobs_per_second": rates[1],
        "cores_ratio": rates[1] / rates[0],
    }


async def _rate(path: Path, workers: int, seconds: float) -> float:
    async with manager_running(path, workers) as system:
        jobs = await calibrated_jobs(system, SPIN, seconds, CLIENTS)
        return jobs / await burst_seconds(system, SPIN, jobs, CLIENTS)
