"""An engine under test: a real store, real workers, and a record of everything it tells."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp_queue_plugin.clock import Clock, system_clock
from mcp_queue_plugin.engine.engine import Engine
from mcp_queue_plugin.engine.values import Answer, EngineOptions
from mcp_queue_plugin.engine.watch import Until
from mcp_queue_plugin.errors import QueueError, StoreUnavailable
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.operations import Operation, Outcome
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import Counts
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.workers.protocol import Ready, Setup

ROOT = str(Path(__file__).parents[3])
WAIT_SECONDS = 20.0
SETUP = Setup(runner="tests.unit.workers.runners:FunctionRunner", sys_path=(ROOT,))
DISK_FULL = "the disk is full"


def options(**changes: Any) -> EngineOptions:
    """Options of an engine with one worker and a store that goes with it."""
    rules = {name: changes.pop(name) for name in WorkerRules.__struct_fields__ if name in changes}
    values: dict[str, Any] = {
        "path": "",
        "durability": "normal",
        "temporary": True,
        "log_bytes": 8 * 1024 * 1024,
        "max_concurrent_jobs": 1,
        "workers": WorkerRules(**{"start_timeout_seconds": WAIT_SECONDS, **rules}),
    }
    return EngineOptions(**{**values, **changes})


def submission(job_id: str, task: str = "echo", **changes: Any) -> Submission:
    """A job that runs a function of ``tasks``; ``changes`` are its options."""
    target = f"tests.unit.engine.tasks:{task}"
    return Submission(job_id=job_id, job_type="test", target=target, options=JobOptions(**changes))


class FragileStore(MemoryStore):
    """A store that fails on demand, and remembers the groups it was handed."""

    def __init__(self) -> None:
        super().__init__(system_clock())
        self.groups: list[list[str]] = []
        """The names of the operations of every group, failed ones included."""
        self.write_failure: str | None = None
        self.read_failure: str | None = None
        self.failed_reads = 0

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        self.groups.append([type(operation).__name__ for operation in operations])
        if self.write_failure is not None:
            raise StoreUnavailable(self.write_failure)
        return await super().apply(operations)

    async def get(self, job_id: str) -> Job | None:
        self._read()
        return await super().get(job_id)

    async def result(self, uid: int) -> bytes | None:
        self._read()
        return await super().result(uid)

    async def counts(self) -> Counts:
        self._read()
        return await super().counts()

    async def queued(self, queue: str, limit: int) -> Sequence[tuple[Job, bytes]]:
        self._read()
        return await super().queued(queue, limit)

    async def positions(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        self._read()
        return await super().positions(jobs)

    async def next_due(self) -> float | None:
        self._read()
        return await super().next_due()

    def _read(self) -> None:
        if self.read_failure is not None:
            self.failed_reads += 1
            raise StoreUnavailable(self.read_failure)


class GatedStore(MemoryStore):
    """A store whose commits can be held up, so that a test decides what meets in the next one."""

    def __init__(self) -> None:
        super().__init__(system_clock())
        self.groups: list[list[str]] = []
        """The names of the operations of every group, in the order of their coming."""
        self.is_holding = False
        """Whether a group is held up now."""
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Let no group pass, from the next on."""
        self._gate.clear()

    def release(self) -> None:
        """Let all pass again."""
        self._gate.set()

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        self.groups.append([type(operation).__name__ for operation in operations])
        self.is_holding = not self._gate.is_set()
        await self._gate.wait()
        self.is_holding = False
        return await super().apply(operations)


class TardyStore(MemoryStore):
    """A store whose commits can be read before they are told of, as when another thread commits."""

    def __init__(self, turns: Sequence[int]) -> None:
        super().__init__(system_clock())
        self._turns = itertools.cycle(turns)

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        outcomes = await super().apply(operations)
        await pass_turns(next(self._turns))
        return outcomes


class Host:
    """What the engine runs in: it records what the engine tells, and makes its verbs awaitable."""

    def __init__(self, store: JobStore, *, clock: Clock | None = None, **changes: Any) -> None:
        self.ended: list[tuple[str, str]] = []
        """Job id and state, in the order of their telling."""
        self.stop_adopted: list[str] = []
        self.ready: list[Ready] = []
        self.engine = Engine(store, options(**changes), self, clock or system_clock())
        self._closed = False

    async def close(self, timeout_seconds: float = 0) -> None:
        """Close the engine; again does nothing."""
        if not self._closed:
            self._closed = True
            await self.engine.close(timeout_seconds)

    def on_ended(self, job: Job) -> None:
        self.ended.append((job.job_id, job.state.value))

    def on_stop_adopted(self, job: Job) -> None:
        self.stop_adopted.append(job.job_id)

    def on_ready(self, ready: Ready) -> None:
        self.ready.append(ready)

    def submit(self, job_id: str, task: str = "echo", value: Any = None, **changes: Any) -> Awaitable[Answer]:
        """Submit and start; what is not awaited is asked for all the same."""
        return self._submit(submission(job_id, task, **changes), value, start=True)

    def add(self, job_id: str, task: str = "echo", value: Any = None) -> Awaitable[Answer]:
        return self._submit(submission(job_id, task), value, start=False)

    def _submit(self, what: Submission, value: Any, *, start: bool) -> Awaitable[Answer]:
        return answered(lambda reply: self.engine.submit(what, json.dumps(value).encode(), start=start, reply=reply))

    def start(self, job_id: str) -> Awaitable[Answer]:
        return answered(lambda reply: self.engine.start(job_id, reply=reply))

    def retry(self, job_id: str) -> Awaitable[Answer]:
        return asyncio.ensure_future(self._retry(job_id))

    async def _retry(self, job_id: str) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        await self.engine.retry(job_id, reply=lambda answer: _settle(future, answer))
        return await _bounded(future)

    def stop(
        self, job_id: str, grace_seconds: float | None = None, reason: str = "enough", **how: Any
    ) -> Awaitable[Answer]:
        return answered(
            lambda reply: self.engine.stop(job_id, reason=reason, grace_seconds=grace_seconds, reply=reply, **how)
        )

    def delete(
        self, job_id: str, grace_seconds: float | None = None, reason: str = "away", **how: Any
    ) -> Awaitable[Answer]:
        return answered(
            lambda reply: self.engine.delete(job_id, reason=reason, grace_seconds=grace_seconds, reply=reply, **how)
        )

    async def status(
        self,
        job_id: str,
        *,
        wait_seconds: float | None = None,
        until: Until = "change",
        known_version: int | None = None,
    ) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        await self.engine.reading.status(
            job_id,
            wait_seconds=wait_seconds,
            until=until,
            known_version=known_version,
            reply=lambda answer: _settle(future, answer),
        )
        return await _bounded(future)

    async def end(self, job_id: str) -> Answer:
        """The record of a job once it has ended."""
        answer = await self.status(job_id, wait_seconds=WAIT_SECONDS, until="end")
        assert not answer.timed_out, answer.job
        return answer

    async def working(self, job_id: str) -> Job:
        """The record of a job once it runs."""
        return await self.reaching(job_id, State.WORKING)

    async def reaching(self, job_id: str, state: State) -> Job:
        """The record of a job once it is in ``state``."""
        job = (await self.status(job_id)).job
        while job.state is not state:
            job = (await self.status(job_id, wait_seconds=WAIT_SECONDS, known_version=job.version)).job
        return job


def answered(ask: Callable[[Callable[[Answer | QueueError], None]], object]) -> Awaitable[Answer]:
    """Ask now; the answer, or the error that was answered, comes when it is awaited."""
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    ask(lambda answer: _settle(future, answer))
    return _bounded(future)


def _settle(future: asyncio.Future[Answer], answer: Answer | QueueError) -> None:
    if isinstance(answer, QueueError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _bounded(future: asyncio.Future[Answer]) -> Awaitable[Answer]:
    return asyncio.ensure_future(asyncio.wait_for(future, WAIT_SECONDS))


async def pass_turns(count: int) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def hosting(
    store: JobStore | None = None, *, warm: bool = True, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[Host]:
    """An open engine, with workers if it is ``warm``; it is closed afterwards."""
    host = Host(store or MemoryStore(clock or system_clock()), clock=clock, **changes)
    await host.engine.open()
    if warm:
        host.engine.warm_up(SETUP)
    try:
        yield host
    finally:
        await host.close()
