"""From a submission to its end seen by the client, on a system that does nothing else."""

from __future__ import annotations

from bench.load import latencies_ms
from bench.peers.protocol import System
from bench.scenarios import Figures
from bench.statistics import centile
from bench.tasks import NOOP

WARM_UP_SECONDS = 0.3


async def measure(system: System, seconds: float) -> Figures:
    """One job after the other for so long."""
    await latencies_ms(system, NOOP, WARM_UP_SECONDS)
    latencies = await latencies_ms(system, NOOP, seconds)
    return {"idle_p50_ms": centile(latencies, 50), "idle_p99_ms": centile(latencies, 99)}
