"""200 clients of MCP that each follow a task, beside a queue at full load; and what they cost while they do nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.mcp_client import McpClient, message, task_get, tool_call
from bench.rpc import Client
from bench.scenarios import Figures
from bench.scenarios.jsonrpc import latencies_ms
from bench.scenarios.waiting_clients import cpu_seconds
from bench.server_commands import HELD, MODULE
from bench.servers import COMMANDS_MODULE, Server, our_server
from bench.statistics import centile

WORKERS = 2
CALLERS = 256
"""They submit from within the server: what a request costs is no part of the queue's throughput."""

CONNECTIONS = 8
SETTLE_SECONDS = 6.0
"""Longer than the server leaves a silent connection open: what it costs to close is over then."""


class Terms(NamedTuple):
    """How much is measured."""

    clients: int = 200
    young_seconds: float = 0.0
    older_seconds: float = 30.0
    old_seconds: float = 100.0
    """How old the tasks are that are followed: a client is told to wait for a tenth of that, 0.5 to 10 s."""

    idle_seconds: float = 30.0
    """Twice the time between two signs of life on a stream, which all streams give at once."""

    windows: int = 3
    """Of each kind, with and without clients, in turns."""


class Task(NamedTuple):
    """A task, and when its client is to look again."""

    task_id: str
    interval_seconds: float


async def measure(folder: Path, seconds: float, terms: Terms = Terms()) -> Figures:  # noqa: B008
    """One call's costs; throughputs with tasks that have just begun and older ones; and idle clients."""
    sections = {"auto_import_modules": [COMMANDS_MODULE, MODULE], "queues": {HELD: {}}}
    async with our_server(folder, WORKERS, **sections) as server:
        await _call(server, "queue_pause", {"queue": HELD})
        scene = _Scene(server, seconds, terms)
        await scene.rate()
        figures = await scene.one_call()
        figures |= await scene.followed("young", terms.young_seconds, renewed=True)
        begin = time.perf_counter()
        await scene.start_tasks()
        figures |= await scene.followed("older", terms.older_seconds - (time.perf_counter() - begin))
        figures |= await scene.followed("old", terms.old_seconds - (time.perf_counter() - begin))
        return figures | await scene.idle()


class _Scene:
    """A server with a paused queue of tasks that clients follow."""

    def __init__(self, server: Server, seconds: float, terms: Terms) -> None:
        self._server = server
        self._seconds = seconds
        self._terms = terms
        self._tasks: list[Task] = []

    async def rate(self) -> float:
        """Jobs a second at full load, for so long."""
        answer = await _call(self._server, "bench_full_load", {"callers": CALLERS, "seconds": self._seconds})
        return float(answer["data"]["jobs_per_second"])

    async def start_tasks(self) -> None:
        """Start a task for each client, and cancel those that there were."""
        async with _clients(self._server.port, CONNECTIONS) as clients:

            async def start(client: McpClient, number: int) -> list[Task]:
                for task in self._tasks[number::CONNECTIONS]:
                    await client.send(message("tasks/cancel", {"taskId": task.task_id}, task.task_id))
                share = len(range(number, self._terms.clients, CONNECTIONS))
                return [_task(await client.send(tool_call("bench_held", {}))) for _ in range(share)]

            started = await asyncio.gather(*(start(client, number) for number, client in enumerate(clients)))
        self._tasks = [task for share in started for task in share]

    async def one_call(self) -> Figures:
        """``tasks/get`` on a server that does nothing else: its latency, its rate, and the CPU time that it takes."""
        await self.start_tasks()
        sent = task_get(self._tasks[-1].task_id)
        async with _clients(self._server.port, CONNECTIONS) as clients:
            alone = await latencies_ms(partial(clients[0].send, sent), self._seconds)
            used, begin = _cpu(self._server.pid), time.perf_counter()
            many = await asyncio.gather(*(latencies_ms(partial(each.send, sent), self._seconds) for each in clients))
            taken, now = time.perf_counter() - begin, _cpu(self._server.pid)
        calls = sum(len(latencies) for latencies in many)
        server_us, others_us, client_us = (
            (after - before) / calls * 1e6 for after, before in zip(now, used, strict=True)
        )
        return {
            "mcp_get_p50_ms": centile(alone, 50),
            "mcp_get_p99_ms": centile(alone, 99),
            "mcp_get_per_second": calls / taken,
            "mcp_get_server_cpu_us": server_us,
            "mcp_get_engine_cpu_us": others_us,
            "mcp_get_client_cpu_us": client_us,
        }

    async def followed(self, name: str, wait_seconds: float, *, renewed: bool = False) -> Figures:
        """The queue's throughput while the tasks are followed, beside that while nobody does, in turns.

        With ``renewed`` tasks are started before each time anew.
        """
        await asyncio.sleep(max(0.0, wait_seconds))
        # After a rest the first time would be slower than the others.
        await self.rate()
        rates: dict[bool, list[float]] = {True: [], False: []}
        latencies: list[float] = []
        for is_followed in turns(self._terms.windows):
            # Whether somebody follows or not: what is started costs a little for some time, and intervals grow.
            await (self.start_tasks() if renewed else self._look_once())
            rates[is_followed].append(await (self._rate_beside_clients(latencies) if is_followed else self.rate()))
        quiet, beside = (sum(rates[kind]) / self._terms.windows for kind in (False, True))
        return {
            f"mcp_{name}_quiet_jobs_per_second": quiet,
            f"mcp_{name}_followed_jobs_per_second": beside,
            f"mcp_{name}_ratio": beside / quiet,
            f"mcp_{name}_gets_per_second": len(latencies) / (self._terms.windows * self._seconds),
            f"mcp_{name}_get_p50_ms": centile(latencies or [0.0], 50),
            f"mcp_{name}_get_p99_ms": centile(latencies or [0.0], 99),
        }

    async def _rate_beside_clients(self, latencies: list[float]) -> float:
        """Jobs a second while each task has a client; how long its looks took joins ``latencies``."""
        async with _clients(self._server.port, self._terms.clients) as clients:
            following = [
                asyncio.create_task(_follow(client, task, latencies))
                for client, task in zip(clients, self._tasks, strict=True)
            ]
            rate = await self.rate()
            for each in following:
                each.cancel()
            for outcome in await asyncio.gather(*following, return_exceptions=True):
                if not isinstance(outcome, asyncio.CancelledError):
                    raise RuntimeError(f"a client has stopped following: {outcome!r}")
        return rate

    async def _look_once(self) -> None:
        async with _clients(self._server.port, 1) as (client,):
            self._tasks = [_task(await client.send(task_get(task.task_id))) for task in self._tasks]

    async def idle(self) -> Figures:
        """CPU time of the server and all of its processes without clients, with silent ones, and with open streams."""
        figures = {"mcp_idle_nobody_cpu_percent": await self._idle_percent()}
        async with _clients(self._server.port, self._terms.clients) as clients:
            for client in clients:
                await client.send(message("tools/list", {}))
            figures["mcp_idle_clients_cpu_percent"] = await self._idle_percent()
        async with _clients(self._server.port, self._terms.clients) as clients:
            for client, task in zip(clients, self._tasks, strict=True):
                await client.listen({"toolsListChanged": True, "taskIds": [task.task_id]})
            figures["mcp_idle_streams_cpu_percent"] = await self._idle_percent()
        return figures

    async def _idle_percent(self) -> float:
        await asyncio.sleep(min(SETTLE_SECONDS, self._terms.idle_seconds))
        begin, used = time.perf_counter(), cpu_seconds(self._server.pid)
        await asyncio.sleep(self._terms.idle_seconds)
        return (cpu_seconds(self._server.pid) - used) / (time.perf_counter() - begin) * 100


def turns(windows: int) -> list[bool]:
    """Without clients and with, so many times each, the order turned each time: no drift falls on one of them. Pure."""
    return [is_followed for number in range(windows) for is_followed in ((False, True), (True, False))[number % 2]]


async def _follow(client: McpClient, task: Task, latencies: list[float]) -> None:
    """Look at a task as often as its answers say, beginning at any moment of an interval."""
    sent = task_get(task.task_id)
    interval_seconds = random.random() * task.interval_seconds  # noqa: S311
    while True:
        await asyncio.sleep(interval_seconds)
        begin = time.perf_counter()
        answer = await client.send(sent)
        latencies.append((time.perf_counter() - begin) * 1000)
        interval_seconds = _task(answer).interval_seconds


def _task(answer: dict[str, Any]) -> Task:
    return Task(answer["taskId"], answer["pollIntervalMs"] / 1000)


@asynccontextmanager
async def _clients(port: int, number: int) -> AsyncIterator[Sequence[McpClient]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(McpClient(port)) for _ in range(number)]


async def _call(server: Server, method: str, params: dict[str, Any]) -> dict[str, Any]:
    # A connection of its own: the server closes one that was silent for a while.
    async with Client(server.port, 1) as client:
        return await client.call(method, params)


def _cpu(pid: int) -> tuple[float, float, float]:
    """The CPU time so far of a server's process, of all that it has started, and of this one."""
    times = psutil.Process(pid).cpu_times()
    own = times.user + times.system
    return own, cpu_seconds(pid) - own, time.process_time()
