"""queuemgr, the library below the adapter's own queue: a new process per job, statuses that are polled."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from queuemgr.async_simple_api import AsyncQueueSystem
from queuemgr.jobs.base import QueueJobBase

from bench.peers.protocol import AsyncSystem, Peer
from bench.tasks import TASKS, Call

POLL_SECONDS = 0.01


class TaskJob(QueueJobBase):
    """A task as a job of queuemgr."""

    def execute(self) -> None:
        """Run it."""
        self.set_result(TASKS[self.params["task"]](**self.params["arguments"]))


class QueuemgrSystem(AsyncSystem):
    """queuemgr as a system."""

    def __init__(self, system: AsyncQueueSystem) -> None:
        self._system = system

    async def submit(self, call: Call) -> str:
        """Add the job and start it."""
        job_id = str(uuid.uuid4())
        await self._system.add_job(TaskJob, job_id, call._asdict())
        await self._system.start_job(job_id)
        return job_id

    async def wait(self, handles: Sequence[str]) -> list[Any]:
        """Poll for the ends."""
        return [await self._result(job_id) for job_id in handles]

    async def _result(self, job_id: str) -> Any:
        while True:
            job = await self._system.get_job_status(job_id)
            status = getattr(job["status"], "name", str(job["status"])).upper()
            if status == "COMPLETED":
                return job["result"]
            if status not in {"PENDING", "RUNNING"}:
                raise RuntimeError(f"job {job_id}: {job}")
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def start(folder: Path, workers: int) -> AsyncIterator[QueuemgrSystem]:
    """Start it; it knows no number of workers."""
    system = AsyncQueueSystem(registry_path=str(folder / "registry.jsonl"))
    await system.start()
    try:
        yield QueuemgrSystem(system)
    finally:
        await system.stop()


SETTINGS = f"JSONL registry; a process per job, any number at once; clients poll every {POLL_SECONDS * 1000:g} ms"
PEERS = {"queuemgr": Peer("queuemgr", SETTINGS, ("queuemgr",), start)}
