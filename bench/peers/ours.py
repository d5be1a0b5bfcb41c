"""mcp-queue-plugin, through its manager: every promise kept, durability ``full``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.peers.protocol import END_SECONDS, AsyncSystem, Peer
from bench.tasks import Call
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.model.options import QueueOptions
from mcp_queue_plugin.settings import load_settings

COMMANDS_MODULE = "bench.commands"


class Ours(AsyncSystem):
    """The manager as a system."""

    def __init__(self, manager: QueueManagerIntegration) -> None:
        self.manager = manager

    async def submit(self, call: Call, options: QueueOptions | None = None) -> str:
        """Hand in a job: added and started in one transaction."""
        job_id = new_job_id()
        params = {"command": f"bench_{call.task}", "params": call.arguments}
        await self.manager.submit_job(CommandExecutionJob, job_id, params, options)
        return job_id

    async def wait(self, handles: Sequence[str]) -> list[Any]:
        """Wait for the ends one after the other; the last to end decides how long it takes."""
        return [await self._result(job_id) for job_id in handles]

    async def _result(self, job_id: str) -> Any:
        job = await self.manager.wait_job(job_id, END_SECONDS)
        if job.status != "completed":
            raise RuntimeError(f"job {job_id} is {job.status}: {job.error}")
        # An envelope without data leaves the key out.
        return job.result["result"].get("data", {})


@asynccontextmanager
async def manager_running(path: Path, max_concurrent_jobs: int, **sections: Any) -> AsyncIterator[Ours]:
    """Start the manager on the store at ``path``; ``sections`` extend ``queue_plugin``."""
    settings = load_settings(
        {
            "queue_manager": {
                "in_memory": False,
                "registry_path": str(path),
                "max_concurrent_jobs": max_concurrent_jobs,
            },
            "queue_plugin": {
                "durability": "full",
                "auto_import_modules": [COMMANDS_MODULE],
                "workers": {"min": max_concurrent_jobs},
                **sections,
            },
        },
        environ={},
    )
    manager = QueueManagerIntegration.from_settings(settings)
    await manager.start()
    try:
        yield Ours(manager)
    finally:
        await manager.stop()


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[Ours]:
    """Start it as a server would, without the server."""
    async with manager_running(folder / "queue.db", workers) as system:
        yield system


PEERS = {
    "ours": Peer(
        "**mcp-queue-plugin**",
        "SQLite, durability full (fsync per group of commits); validation, log capture and progress on; MCP clients: "
        "requests made beforehand, sent by one process, a connection each",
        ("mcp-queue-plugin",),
        start,
    )
}
