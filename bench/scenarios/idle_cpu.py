"""What an idle server uses of a core, ours and the adapter's alone, at the same time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.rpc import Client
from bench.scenarios import Figures
from bench.scenarios.jsonrpc import run_job
from bench.scenarios.waiting_clients import cpu_seconds
from bench.servers import adapter_server, our_server

WORKERS = 2
SETTLE_SECONDS = 3.0
SECONDS_MIN = 10.0


async def measure(folder: Path, seconds: float) -> Figures:
    """Let both idle after a few calls."""
    for name in ("ours", "adapter"):
        (folder / name).mkdir()
    async with our_server(folder / "ours", WORKERS) as ours, adapter_server(folder / "adapter", WORKERS) as adapter:
        async with Client(ours.port, 1) as client:
            await run_job(client)
        await asyncio.sleep(SETTLE_SECONDS)
        begin = time.perf_counter()
        used = [cpu_seconds(server.pid) for server in (ours, adapter)]
        await asyncio.sleep(max(seconds, SECONDS_MIN))
        taken = time.perf_counter() - begin
        ours_percent, adapter_percent = (
            (cpu_seconds(server.pid) - before) / taken * 100
            for server, before in zip((ours, adapter), used, strict=True)
        )
    return {
        "idle_cpu_ours_percent": ours_percent,
        "idle_cpu_adapter_percent": adapter_percent,
        "idle_cpu_above_adapter_percent": ours_percent - adapter_percent,
    }
