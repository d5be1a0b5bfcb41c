"""The load that clients put on a system, whichever kind its clients are."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.peers.protocol import AsyncSystem, BlockingSystem, System
from bench.tasks import NOOP, Call

CALIBRATION_JOBS = (4, 32, 256, 1024)
CALIBRATION_SECONDS = 0.2
JOBS_MIN = 8


def shares(jobs: int, clients: int) -> list[int]:
    """How many of the jobs each client gets: as equal as can be, and none of them none."""
    each, more = divmod(jobs, clients)
    return [share for share in (each + (number < more) for number in range(clients)) if share]


async def burst_seconds(system: System, call: Call, jobs: int, clients: int) -> float:
    """From the first submission to the last end seen: each client submits its share, then waits for its ends."""
    if isinstance(system, AsyncSystem):

        async def client(share: int) -> None:
            await system.wait([await system.submit(call) for _ in range(share)])

        return await _tasks_seconds(client, shares(jobs, clients))

    def thread(share: int) -> None:
        system.wait([system.submit(call) for _ in range(share)])

    return await _threads_seconds(thread, shares(jobs, clients))


async def callers_seconds(system: System, call: Call, jobs: int, clients: int) -> float:
    """As ``burst_seconds``, but each client waits for the end of one job before it submits the next."""
    if isinstance(system, AsyncSystem):

        async def client(share: int) -> None:
            for _ in range(share):
                await system.wait([await system.submit(call)])

        return await _tasks_seconds(client, shares(jobs, clients))

    def thread(share: int) -> None:
        for _ in range(share):
            system.wait([system.submit(call)])

    return await _threads_seconds(thread, shares(jobs, clients))


async def latencies_ms(system: System, call: Call, seconds: float) -> list[float]:
    """Submit and wait for one job after the other for so long, at least two; what each took."""
    if isinstance(system, BlockingSystem):
        return await asyncio.to_thread(_blocking_latencies_ms, system, call, seconds)
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(latencies) < 2:
        begin = time.perf_counter()
        await system.wait([await system.submit(call)])
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies


async def calibrated_jobs(system: System, call: Call, seconds: float, clients: int) -> int:
    """Warm the system up; how many jobs will keep it busy for about so long."""
    # What starts with the first jobs, as worker processes do, says nothing of the pace.
    await burst_seconds(system, call, CALIBRATION_JOBS[0], clients)
    for jobs in CALIBRATION_JOBS:
        taken = await burst_seconds(system, call, jobs, clients)
        if taken > CALIBRATION_SECONDS:
            break
    return max(JOBS_MIN, round(jobs / taken * seconds))


async def result_of(system: System, call: Call) -> Any:
    """What one job returns."""
    if isinstance(system, AsyncSystem):
        return (await system.wait([await system.submit(call)]))[0]
    return (await asyncio.to_thread(lambda: system.wait([system.submit(call)])))[0]


async def require_results(system: System) -> None:
    """Refuse a system that does not run each job and give back what it returned.

    Raises:
        RuntimeError: it does not.
    """
    echoes = [(Call("echo", {"data": text}), {"data": text}) for text in ("é", "one", "two")]
    for call, expected in ((NOOP, {}), *echoes):
        result = await result_of(system, call)
        if result != expected:
            raise RuntimeError(f"{call.task} returned {result!r} instead of {expected!r}")


def _blocking_latencies_ms(system: BlockingSystem, call: Call, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(latencies) < 2:
        begin = time.perf_counter()
        system.wait([system.submit(call)])
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies


async def _tasks_seconds(client: Callable[[int], Any], parts: Sequence[int]) -> float:
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for share in parts:
            group.create_task(client(share))
    return time.perf_counter() - begin


async def _threads_seconds(client: Callable[[int], None], parts: Sequence[int]) -> float:
    """Threads are started before the clock is: what they cost to start is no system's fault."""
    all_there = threading.Barrier(len(parts) + 1)

    def thread(share: int) -> None:
        all_there.wait()
        client(share)

    def run() -> float:
        with ThreadPoolExecutor(len(parts)) as pool:
            clients = [pool.submit(thread, share) for share in parts]
            all_there.wait()
            begin = time.perf_counter()
            for future in clients:
                future.result()
            return time.perf_counter() - begin

    return await asyncio.to_thread(run)
