"""mcp-proxy-adapter's own queue through its manager, without our plugin."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueManagerIntegration

from bench.peers.protocol import AsyncSystem, Peer
from bench.tasks import Call

POLL_SECONDS = 0.01
COMMANDS_MODULE = "bench.commands"
ENDED_WELL = "completed"
NOT_ENDED = {"pending", "running"}


class AdapterManagerSystem(AsyncSystem):
    """The adapter's manager as a system."""

    def __init__(self, manager: QueueManagerIntegration) -> None:
        self._manager = manager

    async def submit(self, call: Call) -> str:
        """Add the job and start it, as its handler of a ``use_queue`` call does."""
        job_id = str(uuid.uuid4())
        params = {
            "command": f"bench_{call.task}",
            "params": call.arguments,
            "auto_import_modules": [COMMANDS_MODULE],
        }
        await self._manager.add_job(CommandExecutionJob, job_id, params)
        await self._manager.start_job(job_id)
        return job_id

    async def wait(self, handles: Sequence[str]) -> list[Any]:
        """Poll for the ends."""
        return [await self._result(job_id) for job_id in handles]

    async def _result(self, job_id: str) -> Any:
        while True:
            job = await self._manager.get_job_status(job_id)
            if job.status == ENDED_WELL and job.result is not None:
                return job.result["result"].get("data", {})
            if job.status not in {*NOT_ENDED, ENDED_WELL}:
                raise RuntimeError(f"job {job_id} is {job.status}: {job.error}")
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[AdapterManagerSystem]:
    """Start it with a registry that stays."""
    manager = QueueManagerIntegration(
        registry_path=str(folder / "registry.jsonl"), max_concurrent_jobs=workers, in_memory=False
    )
    await manager.start()
    try:
        yield AdapterManagerSystem(manager)
    finally:
        await manager.stop()


SETTINGS = f"in_memory false (JSONL); a process per job; clients poll every {POLL_SECONDS * 1000:g} ms"
PEERS = {
    "adapter-manager": Peer("mcp-proxy-adapter's queue, manager", SETTINGS, ("mcp-proxy-adapter", "queuemgr"), start)
}
