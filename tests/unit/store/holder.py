"""A server of its own: takes the store it is told, starts a job, says so, and holds on until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import run_new


async def main(path: Path) -> None:
    store = SqliteStore(path, durability="full", clock=system_clock())
    await store.open()
    await run_new(store, "running")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
