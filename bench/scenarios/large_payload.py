"""Jobs whose parameters and whose result are 1,000,000 bytes each."""

from __future__ import annotations

from bench.load import burst_seconds, calibrated_jobs
from bench.peers.protocol import System
from bench.scenarios import Figures
from bench.tasks import Call

PAYLOAD_BYTES = 1_000_000
CLIENTS = 8


async def measure(system: System, seconds: float) -> Figures:
    """A burst of about so many seconds."""
    call = Call("echo", {"data": "x" * PAYLOAD_BYTES})
    jobs = await calibrated_jobs(system, call, seconds, CLIENTS)
    return {"payload_1_mb_jobs_per_second": jobs / await burst_seconds(system, call, jobs, CLIENTS)}
