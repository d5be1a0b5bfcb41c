"""A server whose own process computes, or blocks its event loop, while jobs run."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.load import calibrated_jobs, callers_seconds
from bench.peers.ours import Ours, manager_running
from bench.scenarios import Figures
from bench.tasks import NOOP, SPIN

WORKERS = 2
CALLERS = 64
BLOCKED_SECONDS = 1.0
BLOCKED_JOBS = 100


async def measure(folder: Path, seconds: float) -> Figures:
    """The rate beside a thread that computes, and how far a blocked server's jobs come."""
    async with manager_running(folder / "queue.db", WORKERS) as system:
        jobs = await calibrated_jobs(system, NOOP, seconds, CALLERS)
        quiet = jobs / await callers_seconds(system, NOOP, jobs, CALLERS)
        computing = await _rate_beside_a_computation(system, jobs)
        done = await _done_while_blocked(system)
    return {
        "busy_quiet_jobs_per_second": quiet,
        "busy_computing_jobs_per_second": computing,
        "busy_blocked_done_ratio": done / BLOCKED_JOBS,
    }


async def _rate_beside_a_computation(system: Ours, jobs: int) -> float:
    stopping = threading.Event()

    def compute() -> None:
        while not stopping.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        return jobs / await callers_seconds(system, NOOP, jobs, CALLERS)
    finally:
        stopping.set()
        thread.join()


async def _done_while_blocked(system: Ours) -> int:
    """Hand jobs of 10 ms in, block the loop for twice as long as they take, and count which ended meanwhile."""
    job_ids = await asyncio.gather(*(system.submit(SPIN) for _ in range(BLOCKED_JOBS)))
    time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251
    blocked_until = datetime.now(UTC)
    await system.wait(job_ids)
    ended = [(await system.manager.get_job_status(job_id)).completed_at for job_id in job_ids]
    return sum(moment is not None and datetime.fromisoformat(moment) <= blocked_until for moment in ended)
