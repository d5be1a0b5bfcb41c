"""mcp-proxy-adapter's own queue over JSON-RPC, on a server without our plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.peers.protocol import AsyncSystem, Peer
from bench.rpc import Client
from bench.servers import adapter_server
from bench.tasks import Call

POLL_SECONDS = 0.01
CONNECTIONS = 8


class AdapterServerSystem(AsyncSystem):
    """The server as a system."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def submit(self, call: Call) -> str:
        """Call the command; the server answers with the job's id."""
        return str((await self._client.call(f"bench_{call.task}", call.arguments))["job_id"])

    async def wait(self, handles: Sequence[str]) -> list[Any]:
        """Poll for the ends."""
        return [await self._result(job_id) for job_id in handles]

    async def _result(self, job_id: str) -> Any:
        while True:
            job = (await self._client.call("queue_get_job_status", {"job_id": job_id}))["data"]
            if job["status"] == "completed" and job["result"] is not None:
                return job["result"]["result"].get("data", {})
            if job["status"] not in {"pending", "running", "completed"}:
                raise RuntimeError(f"job {job_id}: {job}")
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[AdapterServerSystem]:
    """Start the server in a process of its own."""
    async with adapter_server(folder, workers) as server, Client(server.port, CONNECTIONS) as client:
        yield AdapterServerSystem(client)


SETTINGS = (
    f"in_memory false (JSONL); a process per job; {CONNECTIONS} connections, polls every {POLL_SECONDS * 1000:g} ms"
)
PEERS = {
    "adapter-server": Peer(
        "mcp-proxy-adapter's queue, JSON-RPC", SETTINGS, ("mcp-proxy-adapter", "queuemgr", "hypercorn"), start
    )
}
