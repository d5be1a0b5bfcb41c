"""The load that ``mcp-queue bench`` puts on a queue, and what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import psutil

from mcp_queue_plugin.errors import QueueError

if TYPE_CHECKING:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration

NOOP = "queue_bench_noop"
JOB_TIMEOUT_SECONDS = 120.0


class Cost(NamedTuple):
    """What jobs cost while a load was on: CPU for each, of all processes together and of the engine's alone."""

    jobs_per_second: float
    cpu_us_per_job: float
    engine_cpu_us_per_job: float


class Load:
    """Callers that each hand in a job, wait for its end and hand in the next: so many jobs have always not ended."""

    def __init__(self, manager: QueueManagerIntegration, queues: Sequence[str]) -> None:
        """Load ``manager``, all of ``queues`` alike."""
        self._manager = manager
        self._queues = queues
        self._without_a_job = 0
        self._all_have_a_job = asyncio.Event()
        self._done = 0
        self._stopping = False

    async def run(self, callers: int, seconds: float) -> Cost:
        """Let so many call, measure for ``seconds`` from when each has a job, then let their last jobs end.

        Raises:
            QueueError: the queue failed a caller, or a job did not complete; the first such error.
        """
        self._without_a_job = callers
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(callers):
                    group.create_task(self._call(self._queues[number % len(self._queues)]))
                await self._all_have_a_job.wait()
                cost = await self._measure(seconds)
                self._stopping = True
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return cost

    async def _measure(self, seconds: float) -> Cost:
        begin, done = time.perf_counter(), self._done
        all_cpu, engine_cpu = self._cpu_seconds()
        await asyncio.sleep(seconds)
        jobs = max(1, self._done - done)
        all_cpu_after, engine_cpu_after = self._cpu_seconds()
        return Cost(
            jobs_per_second=jobs / (time.perf_counter() - begin),
            cpu_us_per_job=(all_cpu_after - all_cpu) / jobs * 1e6,
            engine_cpu_us_per_job=(engine_cpu_after - engine_cpu) / jobs * 1e6,
        )

    def _cpu_seconds(self) -> tuple[float, float]:
        """The CPU time so far of this process and all that it has started, and of the engine's process."""
        here = psutil.Process()
        used = {process.pid: process.cpu_times() for process in (here, *here.children(recursive=True))}
        seconds = {pid: times.user + times.system for pid, times in used.items()}
        return sum(seconds.values()), seconds.get(self._manager.engine.pid or 0, 0.0)

    async def _call(self, queue: str) -> None:
        has_called = False
        while not self._stopping:
            job_id = await submit_noop(self._manager, queue)
            if not has_called:
                has_called = True
                self._without_a_job -= 1
                if not self._without_a_job:
                    self._all_have_a_job.set()
            await completed(self._manager, job_id)
            self._done += 1


async def submit_noop(manager: QueueManagerIntegration, queue: str) -> str:
    """Hand in an empty job; its id.

    Raises:
        QueueError: the queue did not take it.
    """
    from mcp_queue_plugin.adapter.job_types import new_job_id
    from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
    from mcp_queue_plugin.model.options import QueueOptions

    job_id = new_job_id()
    with _own_errors():
        params = {"command": NOOP, "params": {}}
        await manager.submit_job(CommandExecutionJob, job_id, params, QueueOptions(queue=queue))
    return job_id


async def completed(manager: QueueManagerIntegration, job_id: str) -> None:
    """Wait for the end of a job.

    Raises:
        QueueError: it has not completed.
    """
    with _own_errors():
        result = await manager.wait_job(job_id, JOB_TIMEOUT_SECONDS)
    if result.status != "completed":
        raise QueueError(f"job {job_id} is {result.status}: {result.error}", job_id=job_id)


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raise the queue's own error for the adapter's form of it."""
    from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError

    try:
        yield
    except QueueJobError as error:
        cause = error.original_error
        assert isinstance(cause, QueueError)
        raise cause from error
