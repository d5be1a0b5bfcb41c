"""One system in a process of its own: ``python -m bench.child ORDER.json``; its figures go to the order's file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from bench import peers, scenarios
from bench.load import require_results
from bench.scenarios import Figures


class Order(msgspec.Struct):
    """What to measure: ``scenarios`` of one ``system``, in ``folder``, each figure over about ``seconds``."""

    system: str
    scenarios: list[str]
    folder: str
    answer: str
    workers: int
    seconds: float


async def measure(order: Order) -> Figures:
    """The figures of all the scenarios."""
    shared = [name for name in order.scenarios if name in scenarios.SHARED]
    figures: Figures = {}
    if shared:
        folder = _made(order, "shared")
        async with peers.load(order.system).start(folder, order.workers) as system:
            await require_results(system)
            for name in shared:
                figures |= await scenarios.shared(name)(system, order.seconds)
    if order.system == peers.OURS:
        for name in [name for name in order.scenarios if name in scenarios.OWN]:
            figures |= await scenarios.own(name)(_made(order, name), order.seconds)
    return figures


def _made(order: Order, name: str) -> Path:
    folder = Path(order.folder, name)
    folder.mkdir(parents=True)
    return folder


def main(path: str) -> None:
    """Carry an order out."""
    order = msgspec.json.decode(Path(path).read_bytes(), type=Order)
    Path(order.answer).write_bytes(msgspec.json.encode(asyncio.run(measure(order))))


if __name__ == "__main__":
    main(sys.argv[1])
