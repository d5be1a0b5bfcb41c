"""A store with 1,000,000 finished jobs: reading and running are as quick as on an empty one."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw

from bench.load import burst_seconds, calibrated_jobs
from bench.peers.ours import Ours, manager_running
from bench.scenarios import Figures
from bench.statistics import centile
from bench.tasks import NOOP
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.states import Status

FINISHED = 1_000_000
WORKERS = 2
CLIENTS = 64
READS = 1000
PAGE = 100


async def measure(folder: Path, seconds: float) -> Figures:
    """Throughput of an empty store and of a full one, and the latencies of reads in the full one."""
    empty, full = folder / "empty.db", folder / "full.db"
    async with manager_running(full, WORKERS) as system:
        await system.wait([await system.submit(NOOP)])
    begin = time.perf_counter()
    fill(full)
    filled_seconds = time.perf_counter() - begin
    # What the filling has left to be written is no part of what comes now.
    os.sync()
    async with manager_running(empty, WORKERS) as system:
        jobs = await calibrated_jobs(system, NOOP, seconds, CLIENTS)
        empty_rate = await _best_rate(system, jobs)
    begin = time.perf_counter()
    async with manager_running(full, WORKERS) as system:
        opened_seconds = time.perf_counter() - begin
        # The workers are warm then: two that start take both cores from whatever is read meanwhile.
        await calibrated_jobs(system, NOOP, seconds, CLIENTS)
        figures = await _reads(system)
        full_rate = await _best_rate(system, jobs)
    return figures | {
        "million_fill_seconds": filled_seconds,
        "million_open_seconds": opened_seconds,
        "million_empty_jobs_per_second": empty_rate,
        "million_full_jobs_per_second": full_rate,
        "million_throughput_ratio": full_rate / empty_rate,
    }


def fill(path: Path) -> None:
    """Copy the one finished job of a closed store a million times, as the store itself would have left it."""
    store = apsw.Connection(str(path))
    copied = {
        "uid": "uid + n",
        "job_id": "'finished-' || n",
        "version": "version + n",
        "order": '"order" + n',
        "completed_at": "completed_at + n * 1e-6",
    }
    number = {"finished": FINISHED}
    with store:
        columns = [name for _, name, *_ in store.execute("PRAGMA table_info(jobs)")]
        values = ", ".join(copied.get(name, f'"{name}"') for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        store.execute(f"INSERT INTO jobs ({names}) SELECT {values} FROM jobs, {_NUMBERS}", number)  # noqa: S608
        for table in ("params", "results"):
            copy = f"INSERT INTO {table} SELECT uid + n, document FROM {table}, {_NUMBERS}"  # noqa: S608
            store.execute(copy, number)
        store.execute(
            "UPDATE counters SET version = version + :finished, last_uid = last_uid + :finished,"
            " completed = completed + :finished",
            number,
        )
    store.close()


_NUMBERS = (
    "(WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :finished)"
    " SELECT n FROM number)"
)


async def _best_rate(system: Ours, jobs: int) -> float:
    return max([jobs / await burst_seconds(system, NOOP, jobs, CLIENTS) for _ in range(2)])


async def _reads(system: Ours) -> Figures:
    ids = random.Random(1)  # noqa: S311
    engine = system.manager.engine

    def page() -> Awaitable[Any]:
        after = ids.randint(PAGE, FINISHED)
        return engine.list_jobs(JobQuery(status=Status.COMPLETED, after_uid=after, limit=PAGE))

    return {
        "million_status_p99_ms": await _p99_ms(
            lambda: system.manager.get_job_status(f"finished-{ids.randint(1, FINISHED)}")
        ),
        "million_list_p99_ms": await _p99_ms(page),
        "million_counts_p99_ms": await _p99_ms(system.manager.get_queue_health),
    }


async def _p99_ms(read: Callable[[], Awaitable[Any]]) -> float:
    latencies = []
    for _ in range(READS):
        begin = time.perf_counter()
        await read()
        latencies.append((time.perf_counter() - begin) * 1000)
    return centile(latencies, 99)
