"""What ``mcp-queue bench --soak`` watches: whether the processes of a queue grow while it runs many jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
import psutil

from mcp_queue_plugin.cli.bench_load import Load
from mcp_queue_plugin.cli.kinds import processes_by_kind
from mcp_queue_plugin.model.growth import Sample, Trend, trend_of

SAMPLES = 100

TOLERANCES = {"descriptors": 8.0, "threads": 2.0, "rss_bytes": 4.0 * 1024 * 1024}
"""How much each may grow after the warm-up without being called growth. The engine holds eight descriptors for a worker
that is just being replaced."""


class Holding(NamedTuple):
    """What a process, or the one of its kind that holds most, holds of the system."""

    descriptors: int
    threads: int
    rss_bytes: int


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """How the processes went while the ``jobs`` ran, by their kind and by what they hold."""

    jobs: int
    seconds: float
    processes: Mapping[str, Mapping[str, Trend]]

    @property
    def growing(self) -> list[str]:
        """What grows, as ``kind.holding``."""
        return [f"{kind}.{name}" for kind, trends in self.processes.items() for name in trends if trends[name].grows]

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {**msgspec.to_builtins(self), "growing": self.growing}


async def watch(load: Load, jobs: int) -> Soak:
    """Watch this process and all below it while ``load`` runs so many jobs.

    Workers come and go; of those that are there it is the one that holds most that counts.
    """
    samples: list[tuple[int, dict[str, Holding]]] = []
    begin = time.perf_counter()
    for number in range(1, SAMPLES + 1):
        await load.until_done(jobs * number // SAMPLES)
        samples.append((load.done, _holdings()))
    return Soak(jobs=load.done, seconds=time.perf_counter() - begin, processes=trends_of(samples))


def trends_of(samples: list[tuple[int, dict[str, Holding]]]) -> dict[str, dict[str, Trend]]:
    """How each kind went, by what it holds; ``samples`` say after how many jobs they were taken."""
    kinds = {kind: None for _, holdings in samples for kind in holdings}
    return {
        kind: {
            name: trend_of(
                [Sample(jobs, getattr(holdings[kind], name)) for jobs, holdings in samples if kind in holdings],
                tolerance=tolerance,
            )
            for name, tolerance in TOLERANCES.items()
        }
        for kind in kinds
    }


def _holdings() -> dict[str, Holding]:
    holdings: dict[str, Holding] = {}
    for kind, process in processes_by_kind():
        # A worker may just have been replaced.
        with suppress(psutil.NoSuchProcess):
            holding = Holding(process.num_fds(), process.num_threads(), process.memory_info().rss)
            holdings[kind] = Holding(*map(max, holding, holdings.get(kind, holding)))
    return holdings


def in_words(soaked: Soak) -> Iterator[str]:
    """The lines that tell a soak to people."""
    yield f"{soaked.jobs:,} jobs in {soaked.seconds:,.0f} s; growth is that of the second half"
    yield f"{'':8} {'':11} {'first':>10} {'last':>10} {'highest':>10} {'growth':>10}"
    for kind, trends in soaked.processes.items():
        for name, trend in trends.items():
            unit, label = (1024 * 1024, "RSS (MiB)") if name == "rss_bytes" else (1, name)
            figures = (f"{value / unit:10,.1f}" for value in (trend.first, trend.last, trend.highest, trend.growth))
            yield f"{kind:8} {label:11} {' '.join(figures)}{'  GROWS' if trend.grows else ''}"
    yield f"growing: {', '.join(soaked.growing)}" if soaked.growing else "nothing grows"
