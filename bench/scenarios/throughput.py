"""No-op jobs per second: submitted in a burst, and by callers that each wait for one job before the next."""

from __future__ import annotations

from bench.load import burst_seconds, calibrated_jobs, callers_seconds
from bench.peers.protocol import System
from bench.scenarios import Figures
from bench.tasks import NOOP

CLIENTS = (64, 256)


async def measure(system: System, seconds: float) -> Figures:
    """Each figure over about so many seconds."""
    jobs = await calibrated_jobs(system, NOOP, seconds, CLIENTS[0])
    figures: Figures = {}
    for clients in CLIENTS:
        figures[f"burst_{clients}_jobs_per_second"] = jobs / await burst_seconds(system, NOOP, jobs, clients)
        figures[f"callers_{clients}_jobs_per_second"] = jobs / await callers_seconds(system, NOOP, jobs, clients)
    return figures
