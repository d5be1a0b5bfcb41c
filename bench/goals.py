"""The goals, as functions of the figures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

Medians = Mapping[str, Mapping[str, float]]
"""By system, by figure."""

THROUGHPUT = tuple(f"{kind}_{clients}_jobs_per_second" for kind in ("burst", "callers") for clients in (64, 256))


class Goal(NamedTuple):
    """What ours should reach: ``value`` of the medians, at least or at most ``bound``."""

    text: str
    value: Callable[[Medians], float]
    bound: float
    at_least: bool

    def holds(self, value: float) -> bool:
        """Whether this value reaches it."""
        return value >= self.bound if self.at_least else value <= self.bound


class Judgement(NamedTuple):
    """A goal beside what was measured."""

    goal: Goal
    value: float
    holds: bool


def judgements(medians: Medians) -> list[Judgement]:
    """Every goal whose figures there are."""
    found = []
    for goal in GOALS:
        try:
            value = goal.value(medians)
        except KeyError:
            continue
        found.append(Judgement(goal, value, goal.holds(value)))
    return found


def best_throughput(figures: Mapping[str, float]) -> float:
    """No-op jobs per second under the load that suits a system best.

    Raises:
        KeyError: none was measured.
    """
    rates = [figures[name] for name in THROUGHPUT if name in figures]
    if not rates:
        raise KeyError("throughput")
    return max(rates)


def _ours(name: str) -> Callable[[Medians], float]:
    return lambda medians: medians["ours"][name]


def _ahead_of(peer: str) -> Callable[[Medians], float]:
    return lambda medians: best_throughput(medians["ours"]) / best_throughput(medians[peer])


def _above_nobody(name: str) -> Callable[[Medians], float]:
    return lambda medians: (
        medians["ours"][f"mcp_idle_{name}_cpu_percent"] - medians["ours"]["mcp_idle_nobody_cpu_percent"]
    )


GOALS = (
    Goal("no-op jobs/s, durable, best load", lambda medians: best_throughput(medians["ours"]), 5000, True),
    Goal("throughput ÷ Huey's (SQLite)", _ahead_of("huey"), 1, True),
    Goal("throughput ÷ SAQ's", _ahead_of("saq"), 1, True),
    Goal("idle p50, in process, ms", _ours("idle_p50_ms"), 2, False),
    Goal("idle p99, in process, ms", _ours("idle_p99_ms"), 10, False),
    Goal("idle over JSON-RPC ÷ synchronous no-op", _ours("jsonrpc_idle_ratio"), 3, False),
    Goal("submit rate, queue paused ÷ synchronous no-op", _ours("jsonrpc_submit_paused_ratio"), 0.9, True),
    Goal("submit rate, jobs running ÷ synchronous no-op", _ours("jsonrpc_submit_running_ratio"), 0.8, True),
    Goal("status p99 with 1,000,000 finished jobs, ms", _ours("million_status_p99_ms"), 3, False),
    Goal("list page p99 with 1,000,000 finished jobs, ms", _ours("million_list_p99_ms"), 10, False),
    Goal("throughput with 1,000,000 finished jobs ÷ empty", _ours("million_throughput_ratio"), 0.9, True),
    Goal("lines lost of 100,000 printed", _ours("printing_lost_lines"), 0, False),
    Goal("others' latency while a job prints ÷ before", _ours("printing_latency_ratio"), 2, False),
    Goal("idle server's CPU above the adapter's, % of a core", _ours("idle_cpu_above_adapter_percent"), 0.5, False),
    *(
        Goal(f"throughput while 200 MCP clients follow tasks {age} ÷ nobody", _ours(f"mcp_{name}_ratio"), 0.9, True)
        for name, age in (("young", "just started"), ("older", "30 s old"), ("old", "100 s old"))
    ),
    *(
        Goal(f"CPU of 200 {who} above none, % of a core", _above_nobody(name), 0.5, False)
        for name, who in (("clients", "silent MCP clients"), ("streams", "open MCP streams"))
    ),
    Goal("isolation fresh, one job a second, p50 ms", _ours("fresh_paced_p50_ms"), 25, False),
)
