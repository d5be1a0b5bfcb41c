"""The load that ``mcp-queue bench`` puts on a queue, and what it costs."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import psutil

from mcp_queue_plugin.cli.kinds import processes_by_kind
from mcp_queue_plugin.errors import QueueError

if TYPE_CHECKING:
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration

NOOP = "queue_bench_noop"
JOB_TIMEOUT_SECONDS = 120.0

T = TypeVar("T")


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
        self._mark: int | None = None
        self._mark_reached = asyncio.Event()
        self._stopping = False
        self.done = 0
        """How many jobs have completed."""

    async def run(self, callers: int, watch: Callable[[], Awaitable[T]]) -> T:
        """Let so many call, ``watch`` them from when each has a job, then let their last jobs end.

        Answers what ``watch`` does.

        Raises:
            QueueError: the queue failed a caller, or a job did not complete; the first such error.
        """
        self._without_a_job = callers
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(callers):
                    group.create_task(self._call(self._queues[number % len(self._queues)]))
                await self._all_have_a_job.wait()
                watched = await watch()
                self._stopping = True
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return watched

    async def cost(self, seconds: float) -> Cost:
        """Measure for so long what jobs cost."""
        begin, done = time.perf_counter(), self.done
        all_cpu, engine_cpu = _cpu_seconds()
        await asyncio.sleep(seconds)
        jobs = max(1, self.done - done)
        all_cpu_after, engine_cpu_after = _cpu_seconds()
        return Cost(
            jobs_per_second=jobs / (time.perf_counter() - begin),
            cpu_us_per_job=(all_cpu_after - all_cpu) / jobs * 1e6,
            engine_cpu_us_per_job=(engine_cpu_after - engine_cpu) / jobs * 1e6,
        )

    async def until_done(self, jobs: int) -> None:
        """Wait until so many jobs have completed."""
        self._mark = jobs
        while self.done < jobs:
            self._mark_reached.clear()
            await self._mark_reached.wait()

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
            self.done += 1
            if self.done == self._mark:
                self._mark_reached.set()


def _cpu_seconds() -> tuple[float, float]:
    """The CPU time so far of this process and all below it, and of the engine's process alone."""
    used: defaultdict[str, float] = defaultdict(float)
    for kind, process in processes_by_kind():
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[kind] += times.user + times.system
    return sum(used.values()), used["engine"]


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
