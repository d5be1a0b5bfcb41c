"""Hundreds of clients that wait for one job, each on a connection of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import until

WAITERS = 300
MEASURED_SECONDS = 2.0
SHARE_OF_A_CORE = 0.05
ANSWERED_SECONDS = 15.0


@pytest.fixture
def quiet_server(start: StartServer, tmp_path: Path) -> Server:
    """A server of its own, with a job that waits to be started."""
    server = start(write_configuration(tmp_path, queue_manager={"command_timeout": 60}))
    server.add("idle", command="add_numbers", params={"a": 1, "b": 1}, start=False)
    return server


async def ask(server: Server, **params: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a status call over a new connection."""
    host, port = server.url.removeprefix("http://").split(":")
    call = {"jsonrpc": "2.0", "id": 1, "method": "queue_get_job_status", "params": {"job_id": "idle", **params}}
    body = json.dumps(call).encode()
    head = f"POST /api/jsonrpc HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    return reader, writer


def wait_for_waiters(server: Server, count: int) -> None:
    until(lambda: server.health()["waiting_calls"] == count, f"{count} calls wait")


def cpu_seconds(server: Server) -> float:
    return sum(map(processes.cpu_seconds, (server.pid, server.warden_pid, server.engine_pid)))


async def test_hundreds_wait_for_nothing_and_are_answered_at_the_change(quiet_server: Server) -> None:
    connections = [await ask(quiet_server, wait_seconds=55) for _ in range(WAITERS)]
    await asyncio.to_thread(wait_for_waiters, quiet_server, WAITERS)

    before = cpu_seconds(quiet_server)
    await asyncio.sleep(MEASURED_SECONDS)
    assert cpu_seconds(quiet_server) - before < MEASURED_SECONDS * SHARE_OF_A_CORE

    started = await asyncio.to_thread(quiet_server.data, "queue_start_job", job_id="idle")
    async with asyncio.timeout(ANSWERED_SECONDS):
        replies = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    answers = [json.loads(reply.partition(b"\r\n\r\n")[2])["result"]["data"] for reply in replies]
    assert {(answer["version"], answer["timed_out"]) for answer in answers} == {(started["version"], False)}
    await asyncio.to_thread(wait_for_waiters, quiet_server, 0)


async def test_who_hangs_up_leaves_a_wait_behind_for_no_longer_than_it_asked_for(quiet_server: Server) -> None:
    """The adapter tells nobody of it."""
    for _ in range(20):
        _, writer = await ask(quiet_server, wait_seconds=1)
        writer.close()
    await asyncio.to_thread(wait_for_waiters, quiet_server, 0)
    assert (await asyncio.to_thread(quiet_server.status, "idle"))["phase"] == "created"
