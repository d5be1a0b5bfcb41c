"""Alternating rounds: in each, every system is measured once, in an order that moves on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench import peers, scenarios
from bench.child import Order
from bench.programs import ROOT
from bench.scenarios import Figures

SECONDS_MAX = 900.0
"""How long one system may take in one round."""

SLOW_SYSTEMS = ("adapter-manager", "adapter-server", "queuemgr")
FAST_ONLY = ("payload",)
"""Scenarios that systems with a second per job are spared."""


class Outcome(msgspec.Struct):
    """What one system came to in one round: its figures, or why there are none."""

    round: int
    system: str
    seconds: float
    figures: Figures
    error: str | None = None


def order_of(systems: Sequence[str], number: int) -> list[str]:
    """The systems in the order of this round: every other round backwards, each pair starting one further on."""
    start = (number // 2) % len(systems)
    moved = [*systems[start:], *systems[:start]]
    return moved if number % 2 == 0 else moved[::-1]


def outcomes(
    systems: Sequence[str], names: Sequence[str], rounds: int, seconds: float, workers: int
) -> Iterator[Outcome]:
    """Measure, round after round; each outcome as it is there."""
    for number in range(rounds):
        for system in order_of(systems, number):
            wanted = [name for name in names if _applies(system, name)]
            if wanted:
                begin = time.monotonic()
                figures, error = _measured(system, wanted, seconds, workers)
                yield Outcome(number + 1, system, time.monotonic() - begin, figures, error)


def _applies(system: str, name: str) -> bool:
    if name in scenarios.OWN:
        return system == peers.OURS
    return not (system in SLOW_SYSTEMS and name in FAST_ONLY)


def _measured(system: str, names: list[str], seconds: float, workers: int) -> tuple[Figures, str | None]:
    """One child process: what one system imports, allocates or leaves behind is no other's burden."""
    with tempfile.TemporaryDirectory(prefix=f"bench-{system}-", ignore_cleanup_errors=True) as folder:
        order, answer, output = (Path(folder, name) for name in ("order.json", "answer.json", "child.txt"))
        order.write_bytes(msgspec.json.encode(Order(system, names, folder, str(answer), workers, seconds)))
        with output.open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "bench.child", str(order)], cwd=ROOT, stdout=log, stderr=log
            )
            try:
                child.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child.returncode or not answer.exists():
            return {}, f"exit code {child.returncode}: {output.read_text(errors='replace')[-2000:]}"
        return msgspec.json.decode(answer.read_bytes(), type=Figures), None
