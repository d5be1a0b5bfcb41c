"""From the start of a server's process to its first answer, and to the end of its first job."""

from __future__ import annotations

import time
from pathlib import Path

from bench.rpc import Client
from bench.scenarios import Figures
from bench.scenarios.jsonrpc import run_job
from bench.servers import adapter_server, our_server

WORKERS = 2


async def measure(folder: Path, seconds: float) -> Figures:
    """Start each once; the time is what it is."""
    for name in ("ours", "adapter"):
        (folder / name).mkdir()
    async with our_server(folder / "ours", WORKERS) as server, Client(server.port, 1) as client:
        begin = time.perf_counter()
        await run_job(client)
        first_job_seconds = time.perf_counter() - begin
        ours_seconds = server.start_seconds
    async with adapter_server(folder / "adapter", WORKERS) as server:
        adapter_seconds = server.start_seconds
    return {
        "startup_ours_seconds": ours_seconds,
        "startup_adapter_seconds": adapter_seconds,
        "startup_first_job_ms": first_job_seconds * 1000,
    }
