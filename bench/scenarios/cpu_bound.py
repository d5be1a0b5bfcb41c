"""Jobs that compute for 10 ms: two worker processes on two cores could do 200 a second."""

from __future__ import annotations

from bench.load import burst_seconds, calibrated_jobs
from bench.peers.protocol import System
from bench.scenarios import Figures
from bench.tasks import SPIN

CLIENTS = 64


async def measure(system: System, seconds: float) -> Figures:
    """A burst of about so many seconds."""
    jobs = await calibrated_jobs(system, SPIN, seconds, CLIENTS)
    return {"cpu_10_ms_jobs_per_second": jobs / await burst_seconds(system, SPIN, jobs, CLIENTS)}
