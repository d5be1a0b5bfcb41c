"""The sample's own command, run to its result by clients of the official SDK, whatever they know and what happens."""

from __future__ import annotations

import asyncio
import os
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.mcp import (
    ENDED,
    FOLLOW_SECONDS,
    RETRY_SECONDS,
    connected,
    start_job,
    start_task,
    task_until,
    wait_for_job,
)
from tests.acceptance.harness.server import MCP_QUEUE, ROOT, Server
from tests.acceptance.harness.waiting import until

SAMPLE = ("commands.analyze_project_command",)
LIBRARY = str(Path(sysconfig.get_path("stdlib")) / "asyncio")
LARGE = str(Path(sysconfig.get_path("purelib")) / "mypy")
"""A project that takes long enough for a server to be killed meanwhile."""

Run = Callable[[Client, str], Awaitable[dict[str, Any]]]


async def by_task(client: Client, root: str) -> dict[str, Any]:
    answer = await client.call_tool("analyze_project", {"root_dir": root})
    assert not answer.is_error, answer
    return dict(answer.structured_content)


async def by_polling(client: Client, root: str) -> dict[str, Any]:
    record = await wait_for_job(client, await start_job(client, "analyze_project", root_dir=root))
    assert record["status"] == "completed", record
    result = record["result"] or {"result": {"data": {"complete": record["result_piece"]["total_bytes"] > 0}}}
    return dict(result["result"]["data"])


CLIENTS: dict[str, tuple[dict[str, Any], Run]] = {
    "tasks": ({}, by_task),
    "no tasks": ({"tasks": False}, by_polling),
    "legacy": ({"mode": "legacy"}, by_polling),
}


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_client_runs_the_sample_to_its_result(start: StartServer, tmp_path: Path, kind: str) -> None:
    server = start(write_configuration(tmp_path, modules=SAMPLE))
    options, run = CLIENTS[kind]
    async with connected(server.url, **options) as client:
        assert (await run(client, LIBRARY))["complete"]


def killed_half_way(start: StartServer, server: Server, job_id: str) -> Server:
    """Kill the server with SIGKILL while its job runs, and start it again."""
    until(lambda: server.status(job_id)["progress"] > 0, "the job is under way")
    server.kill()
    again = start(server.config)
    assert again.status(job_id)["attempt"] <= 2
    return again


async def persistently(server: Server, options: dict[str, Any], look: Callable[[Client], Awaitable[Any]]) -> Any:
    """What ``look`` finds in the end: a connection that was lost is opened anew."""
    async with asyncio.timeout(FOLLOW_SECONDS):
        while True:
            try:
                async with connected(server.url, **options) as client:
                    return await look(client)
            except (httpx2.HTTPError, MCPError):
                await asyncio.sleep(RETRY_SECONDS)


async def test_a_task_outlives_its_server(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, modules=SAMPLE))
    async with connected(server.url) as client:
        task_id = (await start_task(client, "analyze_project", root_dir=LARGE))["taskId"]
    ended = persistently(server, {}, lambda client: task_until(client.session, task_id, *ENDED))
    following = asyncio.ensure_future(ended)
    again = await asyncio.to_thread(killed_half_way, start, server, task_id)
    task = await following
    assert (task["taskId"], task["status"]) == (task_id, "completed")
    assert task["result"]["structuredContent"]["complete"]
    assert again.status(task_id)["attempt"] == 2


@pytest.mark.parametrize("kind", ["no tasks", "legacy"])
async def test_a_job_outlives_its_server_for_clients_that_know_no_tasks(
    start: StartServer, tmp_path: Path, kind: str
) -> None:
    server, options = start(write_configuration(tmp_path, modules=SAMPLE)), CLIENTS[kind][0]
    async with connected(server.url, **options) as client:
        job_id = await start_job(client, "analyze_project", root_dir=LARGE)
    following = asyncio.ensure_future(persistently(server, options, lambda client: wait_for_job(client, job_id)))
    again = await asyncio.to_thread(killed_half_way, start, server, job_id)
    record = await following
    assert (record["job_id"], record["status"], record["attempt"]) == (job_id, "completed", 2)
    assert again.status(job_id)["status"] == "completed"


async def test_a_legacy_client_goes_on_over_a_restart_as_if_nothing_had_happened(
    start: StartServer, tmp_path: Path
) -> None:
    config = write_configuration(tmp_path, modules=SAMPLE)
    server = start(config)
    async with connected(server.url, mode="legacy") as client:
        job_id = await start_job(client, "analyze_project", root_dir=LARGE)
        await asyncio.to_thread(killed_half_way, start, server, job_id)
        # No session has to be opened anew: there was none.
        assert (await wait_for_job(client, job_id))["status"] == "completed"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_starts_its_server_itself(tmp_path: Path, mode: str) -> None:
    config = write_configuration(tmp_path, modules=SAMPLE)
    mark = f"stdio {tmp_path}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), processes.MARK: mark}
    arguments = ["serve", "--stdio", "--config", str(config)]
    command = StdioServerParameters(command=MCP_QUEUE, args=arguments, env=environment, cwd=tmp_path)
    with (tmp_path / "errors").open("w") as errors:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            assert (await by_polling(client, LIBRARY))["complete"]
            stopped = await start_job(client, "analyze_project", root_dir=LARGE)
    until(lambda: not processes.marked_processes(mark), "the server has ended with its client")
    # What was still to be done is there for the next one.
    with (tmp_path / "errors").open("a") as errors:
        async with Client(stdio_client(command, errlog=errors), mode=mode) as client:
            assert (await wait_for_job(client, stopped))["status"] == "completed"
    until(lambda: not processes.marked_processes(mark), "the server has ended with its client")
