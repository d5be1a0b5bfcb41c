"""``mcp-queue bench``: how fast this machine runs empty jobs, with every promise kept."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_queue_plugin.cli.bench_load import Load, completed, submit_noop
from mcp_queue_plugin.cli.output import json_option, print_document, reported_errors

if TYPE_CHECKING:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration

NOOP_MODULE = "mcp_queue_plugin.cli.noop_command"
IDLE_SHARE = 0.3
WARM_UP_CALLERS = 64
WARM_UP_SECONDS = 0.3


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="How long to measure.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option(
    "--pending", type=click.IntRange(1, 1_000_000), default=256, show_default=True, help="Jobs kept in the queue."
)
@click.option(
    "--queues", type=click.IntRange(1, 1000), default=1, show_default=True, help="Named queues that they share."
)
@click.option(
    "--durability", type=click.Choice(["full", "normal"]), default="full", show_default=True, help="As in queue_plugin."
)
@json_option
def bench(seconds: float, workers: int, pending: int, queues: int, durability: str, as_json: bool) -> None:
    """Measure no-op jobs through submit_job and wait_job: a durable store, real commands, logs captured."""
    names = [f"bench_{number}" for number in range(queues)]
    with reported_errors(as_json=as_json):
        figures = asyncio.run(_measure(seconds, workers, pending, names, durability))
    if as_json:
        print_document(figures)
    else:
        click.echo(
            f"{figures['jobs_per_second']:,.0f} jobs/s at {figures['cpu_us_per_job']:,.0f} µs of CPU a job "
            f"({figures['engine_cpu_us_per_job']:,.0f} in the engine), idle p50 {figures['idle_p50_ms']:.2f} ms, "
            f"p99 {figures['idle_p99_ms']:.2f} ms "
            f"({workers} workers, {pending:,} pending, {queues} queues, durability {durability})"
        )


async def _measure(
    seconds: float, workers: int, pending: int, queues: Sequence[str], durability: str
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mcp-queue-bench-") as folder:
        manager = _manager(Path(folder, "queue.db"), workers, queues, durability)
        await manager.start()
        try:
            await Load(manager, queues).run(WARM_UP_CALLERS, WARM_UP_SECONDS)
            idle_ms = await _idle_latencies_ms(manager, queues[0], seconds * IDLE_SHARE)
            cost = await Load(manager, queues).run(pending, seconds * (1 - IDLE_SHARE))
        finally:
            await manager.stop()
    centiles = statistics.quantiles(idle_ms, n=100)
    return {
        "jobs_per_second": round(cost.jobs_per_second, 1),
        "cpu_us_per_job": round(cost.cpu_us_per_job, 1),
        "engine_cpu_us_per_job": round(cost.engine_cpu_us_per_job, 1),
        "idle_p50_ms": round(centiles[49], 3),
        "idle_p99_ms": round(centiles[98], 3),
        "workers": workers,
        "pending": pending,
        "queues": len(queues),
        "durability": durability,
    }


def _manager(path: Path, workers: int, queues: Sequence[str], durability: str) -> QueueManagerIntegration:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
    from mcp_queue_plugin.settings import load_settings

    return QueueManagerIntegration.from_settings(
        load_settings(
            {
                "queue_manager": {"in_memory": False, "registry_path": str(path), "max_concurrent_jobs": workers},
                "queue_plugin": {
                    "durability": durability,
                    "auto_import_modules": [NOOP_MODULE],
                    "workers": {"min": workers},
                    "queues": {queue: {} for queue in queues},
                },
            },
            environ={},
        )
    )


async def _idle_latencies_ms(manager: QueueManagerIntegration, queue: str, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(latencies) < 2:
        begin = time.perf_counter()
        await completed(manager, await submit_noop(manager, queue))
        latencies.append((time.perf_counter() - begin) * 1000)
    return latencies
