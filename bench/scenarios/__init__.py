"""What is measured: on every system alike, or on ours alone; a module each, imported only where it runs."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.peers.protocol import System

Figures = dict[str, float]

SHARED = {
    "throughput": "throughput",
    "idle": "idle_latency",
    "cpu": "cpu_bound",
    "payload": "large_payload",
}
"""Measured on every system: the module of each, by the scenario's name."""

OWN = {
    "jsonrpc": "jsonrpc",
    "printing": "printing",
    "million": "million_jobs",
    "waiters": "waiting_clients",
    "mcp": "mcp_clients",
    "idle-cpu": "idle_cpu",
    "startup": "startup",
    "fresh": "fresh_workers",
    "busy-server": "busy_server",
    "cores": "cores",
}
"""Measured on ours: each starts what it needs."""


def shared(name: str) -> Callable[[System, float], Awaitable[Figures]]:
    """``measure(system, seconds)`` of a shared scenario: its figures, with their units in their names."""
    measure: Callable[[System, float], Awaitable[Figures]] = _module(SHARED[name]).measure
    return measure


def own(name: str) -> Callable[[Path, float], Awaitable[Figures]]:
    """``measure(folder, seconds)`` of a scenario of ours: its figures, with their units in their names."""
    measure: Callable[[Path, float], Awaitable[Figures]] = _module(OWN[name]).measure
    return measure


def _module(name: str) -> Any:
    return importlib.import_module(f"bench.scenarios.{name}")
