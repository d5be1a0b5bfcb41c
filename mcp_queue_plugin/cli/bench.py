"""``mcp-queue bench``: how fast this machine runs empty jobs, with every promise kept."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_queue_plugin.cli.output import json_option, print_document, reported_errors
from mcp_queue_plugin.errors import QueueError

if TYPE_CHECKING:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration

NOOP_MODULE = "mcp_queue_plugin.cli.noop_command"
NOOP = "queue_bench_noop"
CALLERS = 256
IDLE_SHARE = 0.3
WARM_UP_JOBS = 500
JOB_TIMEOUT_SECONDS = 60.0


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="How long to measure.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option(
    "--durability", type=click.Choice(["full", "normal"]), default="full", show_default=True, help="As in queue_plugin."
)
@json_option
def bench(seconds: float, workers: int, durability: str, as_json: bool) -> None:
    """Measure no-op jobs through submit_job and wait_job: a durable store, real commands, logs captured."""
    with reported_errors(as_json=as_json):
        figures = asyncio.run(_measure(seconds, workers, durability))
    if as_json:
        print_document(figures)
    else:
        click.echo(
            f"{figures['jobs_per_second']:,.0f} jobs/s, idle p50 {figures['idle_p50_ms']:.2f} ms, "
            f"p99 {figures['idle_p99_ms']:.2f} ms ({workers} workers, durability {durability})"
        )


async def _measure(seconds: float, workers: int, durability: str) -> dict[str, Any]:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
    from mcp_queue_plugin.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="mcp-queue-bench-") as folder:
        settings = load_settings(
            {
                "queue_manager": {
                    "in_memory": False,
                    "registry_path": str(Path(folder, "queue.db")),
                    "max_concurrent_jobs": workers,
                },
                "queue_plugin": {
                    "durability": durability,
                    "auto_import_modules": [NOOP_MODULE],
                    "workers": {"min": workers},
                },
            },
            environ={},
        )
        manager = QueueManagerIntegration.from_settings(settings)
        await manager.start()
        try:
            await _run_jobs(manager, CALLERS, jobs=WARM_UP_JOBS)
            idle_ms = await _idle_latencies_ms(manager, seconds * IDLE_SHARE)
            jobs_per_second = await _throughput(manager, seconds * (1 - IDLE_SHARE))
        finally:
            await manager.stop()
    centiles = statistics.quantiles(idle_ms, n=100)
    return {
        "jobs_per_second": round(jobs_per_second, 1),
        "idle_p50_ms": round(centiles[49], 3),
        "idle_p99_ms": round(centiles[98], 3),
        "workers": workers,
        "durability": durability,
    }


async def _idle_latencies_ms(manager: QueueManagerIntegration, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(latencies) < 2:
        begin = time.perf_counter()
        await _run_one(manager)
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies


async def _throughput(manager: QueueManagerIntegration, seconds: float) -> float:
    begin = time.perf_counter()
    done = await _run_jobs(manager, CALLERS, until=begin + seconds)
    return done / (time.perf_counter() - begin)


async def _run_jobs(
    manager: QueueManagerIntegration, callers: int, *, jobs: int | None = None, until: float | None = None
) -> int:
    """Run jobs from ``callers`` callers at once, so many or until that time; answers how many completed.

    Raises:
        QueueError: the queue failed a caller, or a job did not complete; the first such error.
    """
    done = 0
    left = jobs

    async def caller() -> None:
        nonlocal done, left
        while (until is None or time.perf_counter() < until) and left != 0:
            if left is not None:
                left -= 1
            await _run_one(manager)
            done += 1

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return done


async def _run_one(manager: QueueManagerIntegration) -> None:
    from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError

    from mcp_queue_plugin.adapter.job_types import new_job_id
    from mcp_queue_plugin.adapter.jobs import CommandExecutionJob

    job_id = new_job_id()
    try:
        await manager.submit_job(CommandExecutionJob, job_id, {"command": NOOP, "params": {}})
        result = await manager.wait_job(job_id, JOB_TIMEOUT_SECONDS)
    except QueueJobError as error:
        cause = error.original_error
        assert isinstance(cause, QueueError)
        raise cause from error
    if result.status != "completed":
        raise QueueError(f"job {job_id} is {result.status}: {result.error}", job_id=job_id)
