"""Commands for a server alone that is measured from within, and whose jobs wait in a queue of their own."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from bench import tasks
from bench.commands import BenchCommand, NoopCommand
from bench.peers.ours import Ours
from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.model.options import QueueOptions

MODULE = __name__
HELD = "held"


class HeldCommand(NoopCommand):
    """``tasks.noop`` as a job of the queue ``held``."""

    name = "bench_held"
    queue_options = QueueOptions(queue=HELD)


class FullLoadCommand(BenchCommand):
    """No-op jobs by callers in the server itself, which pay for no request."""

    name = "bench_full_load"
    descr = "Keeps the queue busy"
    use_queue = False
    properties: ClassVar[dict[str, Any]] = {
        "callers": {"type": "integer", "minimum": 1},
        "seconds": {"type": "number", "exclusiveMinimum": 0},
    }

    async def execute(self, **arguments: Any) -> CommandResult:
        """Submit and wait for one job after the other in each caller for so long; answers the jobs per second."""
        system = Ours(running_manager())
        begin = time.perf_counter()

        async def caller() -> int:
            jobs = 0
            while time.perf_counter() < begin + arguments["seconds"]:
                await system.wait([await system.submit(tasks.NOOP)])
                jobs += 1
            return jobs

        jobs = await asyncio.gather(*(caller() for _ in range(arguments["callers"])))
        return SuccessResult(data={"jobs_per_second": sum(jobs) / (time.perf_counter() - begin)})


for command in (HeldCommand, FullLoadCommand):
    registry.register(command, "custom")
