"""1,000 clients that each wait over JSON-RPC for a job of their own: what others notice, and how soon all are told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil

from bench.rpc import Client
from bench.scenarios import Figures
from bench.scenarios.jsonrpc import follow, latencies_ms, run_job
from bench.servers import our_server
from bench.statistics import centile

CLIENTS = 1000
WORKERS = 2
HELD = "held"


async def measure(folder: Path, seconds: float) -> Figures:
    """Latencies without and beside the waiting, its cost, and the time from the queue's release to the last answer."""
    async with (
        our_server(folder, WORKERS, queues={HELD: {}}) as server,
        Client(server.port, 8) as client,
        Client(server.port, CLIENTS) as waiting,
    ):
        await latencies_ms(lambda: run_job(client), 0.3)
        before = await latencies_ms(lambda: run_job(client), seconds)
        job_ids = await _held_jobs(client)
        waits = [asyncio.create_task(follow(waiting, job_id)) for job_id in job_ids]
        await asyncio.sleep(2)
        cpu_percent = await _cpu_percent(server.pid, seconds)
        during = await latencies_ms(lambda: run_job(client), seconds)
        begin = time.perf_counter()
        await client.call("queue_resume", {"queue": HELD})
        calls = await asyncio.gather(*waits)
        released_seconds = time.perf_counter() - begin
    return {
        "waiters_before_p50_ms": centile(before, 50),
        "waiters_during_p50_ms": centile(during, 50),
        "waiters_cpu_percent": cpu_percent,
        "waiters_release_seconds": released_seconds,
        "waiters_calls_per_job": sum(calls) / CLIENTS,
    }


async def _held_jobs(client: Client) -> list[str]:
    """Add the jobs to a paused queue; their ids."""
    await client.call("queue_pause", {"queue": HELD})
    job_ids = [f"held-{number}" for number in range(CLIENTS)]

    async def add(job_id: str) -> None:
        job = {"job_type": "command_execution", "job_id": job_id, "params": {"command": "bench_noop", "params": {}}}
        await client.call("queue_add_job", {**job, "start": True, "queue": HELD})

    await asyncio.gather(*(add(job_id) for job_id in job_ids))
    return job_ids


async def _cpu_percent(pid: int, seconds: float) -> float:
    """What a process and all that it has started use of a core, over so long."""
    begin, used = time.perf_counter(), cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return (cpu_seconds(pid) - used) / (time.perf_counter() - begin) * 100


def cpu_seconds(pid: int) -> float:
    """The CPU time so far of a process and all that it has started."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)
