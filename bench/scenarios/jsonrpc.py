"""Over JSON-RPC: jobs against the server's own synchronous no-op command, which does all that a request costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.rpc import Client, RpcError
from bench.scenarios import Figures
from bench.servers import our_server
from bench.statistics import centile

CONNECTIONS = 8
WORKERS = 2
QUEUE = {"queue": "default"}
STEADY_SECONDS = 5.0
"""The least for a rate: a worker is replaced after 1,000 jobs, and the start of its successor takes half a second of a
core. A shorter figure holds one too many of that, or none."""
TURNS = 5
WAIT_SECONDS = 15
CALLS_SAMPLED = 50
DRAIN_POLL_SECONDS = 0.1
DRAIN_SECONDS_MAX = 120.0


async def measure(folder: Path, seconds: float) -> Figures:
    """Idle latencies, then rates of submissions with the queue paused and running, each beside a synchronous one."""
    async with our_server(folder, WORKERS) as server:
        async with Client(server.port, 1) as client:
            await latencies_ms(lambda: run_job(client), 0.3)
            synchronous, job = await _idle_latencies_ms(client, seconds)
            calls = [await run_job(client) for _ in range(CALLS_SAMPLED)]
        async with Client(server.port, CONNECTIONS) as client:
            return _idle_figures(synchronous, job, calls) | await _submit_figures(client, max(seconds, STEADY_SECONDS))


async def _idle_latencies_ms(client: Client, seconds: float) -> tuple[list[float], list[float]]:
    """Of synchronous calls and of jobs, in turns: what the machine does meanwhile falls on both."""
    synchronous: list[float] = []
    job: list[float] = []
    for _ in range(TURNS):
        synchronous += await latencies_ms(lambda: _synchronous(client), seconds / TURNS)
        job += await latencies_ms(lambda: run_job(client), seconds / TURNS)
    return synchronous, job


def _idle_figures(synchronous: list[float], job: list[float], calls: list[int]) -> Figures:
    return {
        "jsonrpc_synchronous_p50_ms": centile(synchronous, 50),
        "jsonrpc_idle_p50_ms": centile(job, 50),
        "jsonrpc_idle_p99_ms": centile(job, 99),
        "jsonrpc_idle_waiting_calls": sum(calls) / len(calls),
        "jsonrpc_idle_ratio": centile(job, 50) / centile(synchronous, 50),
    }


async def _submit_figures(client: Client, seconds: float) -> Figures:
    """A synchronous rate before and after each of the others: what the machine does meanwhile falls on both."""
    synchronous, submit = (lambda: _synchronous(client)), (lambda: _submit(client))
    rates = [await _rate(synchronous, seconds)]
    await client.call("queue_pause", QUEUE)
    paused = await _rate(submit, seconds)
    rates.append(await _rate(synchronous, seconds))
    await client.call("queue_resume", QUEUE)
    await _drained(client)
    running = await _rate(submit, seconds)
    await _drained(client)
    rates.append(await _rate(synchronous, seconds))
    return {
        "jsonrpc_synchronous_per_second": sum(rates) / len(rates),
        "jsonrpc_submit_paused_per_second": paused,
        "jsonrpc_submit_running_per_second": running,
        "jsonrpc_submit_paused_ratio": 2 * paused / (rates[0] + rates[1]),
        "jsonrpc_submit_running_ratio": 2 * running / (rates[1] + rates[2]),
    }


async def _synchronous(client: Client) -> None:
    await client.call("bench_synchronous_noop", {})


async def _submit(client: Client) -> str:
    return str((await client.call("bench_noop", {}))["job_id"])


async def run_job(client: Client) -> int:
    """Submit a no-op job and follow it to its end; how many calls that wait it took."""
    return await follow(client, await _submit(client))


async def follow(client: Client, job_id: str) -> int:
    """Wait for the end of a job in calls that last as long as the server lets them; how many it took.

    Raises:
        RpcError: it did not complete.
    """
    wait = {"job_id": job_id, "wait_seconds": WAIT_SECONDS, "wait_for": "end"}
    calls = 0
    while True:
        job = (await client.call("queue_get_job_status", wait))["data"]
        calls += 1
        if job["status"] == "completed":
            return calls
        if job["status"] not in ("pending", "running"):
            raise RpcError(f"job {job_id}: {job}")


async def latencies_ms(act: Callable[[], Awaitable[Any]], seconds: float) -> list[float]:
    """Act again and again for so long; what each time took."""
    latencies = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        await act()
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies


async def _rate(act: Callable[[], Awaitable[Any]], seconds: float) -> float:
    """Calls a second, with every connection in use all the time."""
    begin = time.perf_counter()

    async def caller() -> int:
        calls = 0
        while time.perf_counter() < begin + seconds:
            await act()
            calls += 1
        return calls

    calls = await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return sum(calls) / (time.perf_counter() - begin)


async def _drained(client: Client) -> None:
    """Wait until no job is left."""
    async with asyncio.timeout(DRAIN_SECONDS_MAX):
        for status in ("pending", "running"):
            while await _count(client, status):  # noqa: ASYNC110
                await asyncio.sleep(DRAIN_POLL_SECONDS)


async def _count(client: Client, status: str) -> int:
    page = await client.call("queue_list_jobs", {"status_filter": status, "limit": 1})
    return int(page["data"]["total_count"])
