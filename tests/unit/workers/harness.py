"""A pool under test: real processes, and a record of everything it tells."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.workers.owner import WorkerState
from mcp_queue_plugin.workers.pool import WorkerPool
from mcp_queue_plugin.workers.protocol import PAYLOAD_MAX_BYTES, Ready, Run, Setup
from tests.unit.workers import jobs, mischief

ROOT = str(Path(__file__).parents[3])
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.005


def setup(
    runner: str = "FunctionRunner",
    *modules: str,
    lasting_threads: tuple[str, ...] = (),
    result_bytes: int = PAYLOAD_MAX_BYTES,
) -> Setup:
    return Setup(
        runner=f"tests.unit.workers.runners:{runner}",
        sys_path=(ROOT,),
        auto_import_modules=modules,
        lasting_threads=lasting_threads,
        result_bytes=result_bytes,
    )


async def until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Poll until ``condition`` is true; fail after ``seconds``."""
    for _ in range(int(seconds / POLL_SECONDS)):
        if condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError


def wait_until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """``until`` for tests without a loop."""
    asyncio.run(until(condition, seconds))


def is_gone(pid: int) -> bool:
    """Whether the process has ended; it may wait for its parent to notice."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_and_wait(pid: int) -> None:
    """Kill a child process and leave it to be reaped by who started it."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def halt(pid: int) -> None:
    """Keep a child process from doing anything, until it gets SIGCONT."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


def living_children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def pending_timers() -> list[asyncio.TimerHandle]:
    """What the running loop will do later: nothing at all, if nothing is polled."""
    scheduled: list[asyncio.TimerHandle] = vars(asyncio.get_running_loop())["_scheduled"]
    return [timer for timer in scheduled if not timer.cancelled()]


class Harness:
    """A pool and what it told: endings, log and progress by token."""

    def __init__(self, **options: Any) -> None:
        rules = {name: options.pop(name) for name in WorkerRules.__struct_fields__ if name in options}
        self.begun: list[Token] = []
        self.recalled: list[Token] = []
        self.endings: dict[Token, Ending] = {}
        self.ended_with: dict[Token, Changes] = {}
        self.progress: dict[Token, list[Changes]] = {}
        self.asked: list[tuple[Token, Question, int]] = []
        """What was asked, and after how many reports."""
        self.log: dict[Token, list[LogChunk]] = {}
        self.ready: list[Ready] = []
        self.broken: list[WorkerStartFailed] = []
        self.idle_calls = 0
        self._uid = 0
        self._any_end = asyncio.Event()
        self.pool = WorkerPool(
            events=self,
            clock=system_clock(),
            rules=WorkerRules(**{"start_timeout_seconds": 20.0, **rules}),
            **{"max_workers": 1, **options},
        )

    def on_idle(self) -> None:
        self.idle_calls += 1

    def on_begun(self, token: Token) -> None:
        assert token not in self.begun
        self.begun.append(token)

    def on_recalled(self, tokens: Sequence[Token]) -> None:
        assert not self.endings.keys() & tokens
        self.recalled += tokens

    def on_progress(self, token: Token, changes: Changes) -> None:
        assert token not in self.endings
        self.progress.setdefault(token, []).append(changes)

    def on_asked(self, token: Token, question: Question) -> None:
        assert token not in self.endings
        self.asked.append((token, question, len(self.progress.get(token, []))))

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        assert token not in self.endings
        self.log.setdefault(token, []).append(chunk)

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        assert token in self.begun
        assert token not in self.endings
        self.endings[token] = ending
        self.ended_with[token] = changes
        self._any_end.set()

    def on_ready(self, ready: Ready) -> None:
        self.ready.append(ready)

    def on_broken(self, error: WorkerStartFailed) -> None:
        self.broken.append(error)

    async def start(self, target: str, value: Any = None, **options: Any) -> Token:
        """Run a function of ``jobs`` or ``mischief`` as soon as a worker is free; ``options`` are the job's."""
        job_options = JobOptions(**options)
        await until(lambda: self.pool.free(job_options.isolation))
        return self.run(target, value, job_options)

    def run(self, target: str, value: Any, options: JobOptions | None = None) -> Token:
        """Run a function now: the pool must be able to."""
        self._uid += 1
        token = Token(self._uid, 1)
        module = jobs if hasattr(jobs, target) else mischief
        call = Run(token=token, job_id=f"job-{token.uid}", job_type="test", target=f"{module.__name__}:{target}")
        self.pool.run(call, json.dumps(value).encode(), options or JobOptions())
        return token

    async def make_quick(self) -> None:
        """Let the worker have quick jobs until others may lie ready behind the one it runs."""
        for _ in range(12):
            await self.end("echo")

    def settled(self, token: Token) -> bool:
        """Whether an attempt has ended or was taken back."""
        return token in self.endings or token in self.recalled

    async def ending(self, token: Token) -> Ending:
        async with asyncio.timeout(WAIT_SECONDS):
            while token not in self.endings:
                self._any_end.clear()
                await self._any_end.wait()
        return self.endings[token]

    async def end(self, target: str, value: Any = None, **options: Any) -> Ending:
        return await self.ending(await self.start(target, value, **options))

    async def result(self, target: str, value: Any = None, **options: Any) -> Any:
        """The result of a job that completes."""
        ending = await self.end(target, value, **options)
        assert ending.result is not None, ending
        return json.loads(ending.result)

    async def result_of_another_worker(self, pid: int) -> int:
        """The pid of a worker that is not ``pid``, as soon as there is one."""
        await until(lambda: pid not in self.pool.statistics().pids)
        return int(await self.result("pid"))

    async def working(self, target: str, value: Any = None, **options: Any) -> Token:
        """Start a job that tells by its step when it is under way."""
        token = await self.start(target, value, **options)
        await until(lambda: token in self.progress)
        return token

    def is_ready(self, pid: int) -> bool:
        """Whether a worker could run a job now, also one that still waits for the place of another."""
        workers = self.pool._members.processes
        return any(worker.pid == pid and worker.state is WorkerState.IDLE for worker in workers)

    def text(self, token: Token, stream: str = "stdout") -> str:
        return b"".join(chunk.data for chunk in self.log.get(token, []) if chunk.stream == stream).decode()


@asynccontextmanager
async def running(
    runner: str = "FunctionRunner",
    *,
    lasting_threads: tuple[str, ...] = (),
    result_bytes: int = PAYLOAD_MAX_BYTES,
    **options: Any,
) -> AsyncIterator[Harness]:
    """A warmed-up pool; afterwards it is closed, and no process is left."""
    before = living_children()
    harness = Harness(**options)
    harness.pool.warm_up(setup(runner, lasting_threads=lasting_threads, result_bytes=result_bytes))
    try:
        yield harness
    finally:
        await harness.pool.close(0)
    await until(lambda: living_children() <= before)
