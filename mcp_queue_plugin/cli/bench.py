"""``mcp-queue bench``: how fast this machine runs empty jobs, with every promise kept, and whether anything grows."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mcp_queue_plugin.cli.bench_load import Load, completed, submit_noop
from mcp_queue_plugin.cli.output import EXIT_FAILURE, json_option, print_document, reported_errors
from mcp_queue_plugin.cli.soak import SAMPLES, Soak, in_words, watch

if TYPE_CHECKING:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration

NOOP_MODULE = "mcp_queue_plugin.cli.noop_command"
IDLE_SHARE = 0.3
WARM_UP_CALLERS = 64
WARM_UP_SECONDS = 0.3


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue is measured under."""

    workers: int
    pending: int
    queues: int
    durability: str

    @property
    def queue_names(self) -> Sequence[str]:
        """The names of the queues."""
        return [f"bench_{number}" for number in range(self.queues)]

    def __str__(self) -> str:
        """In words."""
        return f"{self.workers} workers, {self.pending:,} pending, {self.queues} queues, durability {self.durability}"


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
@click.option("--soak", is_flag=True, help="Instead watch what the processes hold while --jobs run.")
@click.option(
    "--jobs", type=click.IntRange(SAMPLES, 100_000_000), default=100_000, show_default=True, help="How many, to soak."
)
@json_option
def bench(seconds: float, soak: bool, jobs: int, as_json: bool, **conditions: Any) -> None:
    """Measure no-op jobs through submit_job and wait_job: a durable store, real commands, logs captured.

    With --soak the exit code is 1 if something grows.
    """
    under = Conditions(**conditions)
    with reported_errors(as_json=as_json):
        if soak:
            _tell_soak(asyncio.run(_soak(under, jobs)), under, as_json=as_json)
        else:
            _tell_figures(asyncio.run(_measure(under, seconds)), under, as_json=as_json)


def _tell_figures(figures: dict[str, float], under: Conditions, *, as_json: bool) -> None:
    if as_json:
        print_document({**figures, **msgspec.to_builtins(under)})
        return
    click.echo(
        f"{figures['jobs_per_second']:,.0f} jobs/s at {figures['cpu_us_per_job']:,.0f} µs of CPU a job "
        f"({figures['engine_cpu_us_per_job']:,.0f} in the engine), idle p50 {figures['idle_p50_ms']:.2f} ms, "
        f"p99 {figures['idle_p99_ms']:.2f} ms ({under})"
    )


def _tell_soak(soaked: Soak, under: Conditions, *, as_json: bool) -> None:
    if as_json:
        print_document({**soaked.as_json(), **msgspec.to_builtins(under)})
    else:
        click.echo("\n".join(in_words(soaked)))
    if soaked.growing:
        raise click.exceptions.Exit(EXIT_FAILURE)


async def _measure(under: Conditions, seconds: float) -> dict[str, float]:
    async with _queue(under) as manager:
        warm_up, load = Load(manager, under.queue_names), Load(manager, under.queue_names)
        await warm_up.run(WARM_UP_CALLERS, partial(warm_up.cost, WARM_UP_SECONDS))
        idle_ms = await _idle_latencies_ms(manager, under.queue_names[0], seconds * IDLE_SHARE)
        cost = await load.run(under.pending, partial(load.cost, seconds * (1 - IDLE_SHARE)))
    centiles = statistics.quantiles(idle_ms, n=100)
    return {
        "jobs_per_second": round(cost.jobs_per_second, 1),
        "cpu_us_per_job": round(cost.cpu_us_per_job, 1),
        "engine_cpu_us_per_job": round(cost.engine_cpu_us_per_job, 1),
        "idle_p50_ms": round(centiles[49], 3),
        "idle_p99_ms": round(centiles[98], 3),
    }


async def _soak(under: Conditions, jobs: int) -> Soak:
    async with _queue(under) as manager:
        load = Load(manager, under.queue_names)
        return await load.run(under.pending, partial(watch, load, jobs))


@asynccontextmanager
async def _queue(under: Conditions) -> AsyncIterator[QueueManagerIntegration]:
    """A running queue with a store of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mcp-queue-bench-") as folder:
        manager = _manager(Path(folder, "queue.db"), under)
        await manager.start()
        try:
            yield manager
        finally:
            await manager.stop()


def _manager(path: Path, under: Conditions) -> QueueManagerIntegration:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
    from mcp_queue_plugin.settings import load_settings

    return QueueManagerIntegration.from_settings(
        load_settings(
            {
                "queue_manager": {"in_memory": False, "registry_path": str(path), "max_concurrent_jobs": under.workers},
                "queue_plugin": {
                    "durability": under.durability,
                    "auto_import_modules": [NOOP_MODULE],
                    "workers": {"min": under.workers},
                    "queues": {queue: {} for queue in under.queue_names},
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
