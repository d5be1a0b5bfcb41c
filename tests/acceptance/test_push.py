"""What a client hears over ``/ws``: progress as it is committed, and the end within moments of its commit.

The server's own poll of subscribed jobs, the adapter's safety net, is set to a minute: what arrives sooner was pushed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.socket import Socket, connected
from tests.acceptance.harness.waiting import Gate

PUSH_SECONDS = 0.1


@pytest.fixture(scope="module")
def pushing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("push")
    plugin = {"queues": {"tiny": {"max_queue_size": 1}}}
    server = Server(write_configuration(folder, queue_plugin=plugin, job_push={"poll_interval": 60.0}))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.dispose()


@pytest.fixture
async def socket(pushing_server: Server) -> AsyncIterator[Socket]:
    async with connected(pushing_server.url) as socket:
        yield socket


@pytest.fixture
async def server(pushing_server: Server) -> AsyncIterator[Server]:
    yield pushing_server
    await asyncio.to_thread(pushing_server.delete_unfinished_jobs)


def ended_at(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["completed_at"]).timestamp()


async def test_the_end_is_pushed_within_a_tenth_of_a_second_of_its_commit(server: Server, socket: Socket) -> None:
    lags = []
    for number in range(20):
        job_id = await socket.run("add_numbers", a=number, b=1)
        await socket.until_end(job_id)
        heard_at = time.time()
        lags.append(heard_at - ended_at(await asyncio.to_thread(server.status, job_id)))
    # The time of the end is read just before its commit, which is part of the lag.
    assert statistics.median(lags) < PUSH_SECONDS
    assert max(lags) < 10 * PUSH_SECONDS


@pytest.mark.parametrize("kind", ["queue_job", "command_session"])
@pytest.mark.parametrize(
    ("method", "last"), [("queue_stop_job", "stopped"), ("queue_delete_job", "stopped"), (None, "completed")]
)
async def test_every_kind_of_end_is_pushed_at_once(
    server: Server, socket: Socket, gate: Gate, kind: str, method: str | None, last: str
) -> None:
    job_id = await asyncio.to_thread(server.submit, "hold", gate=str(gate))
    await asyncio.to_thread(server.running, job_id)
    await socket.subscribe(job_id, kind)
    began = time.monotonic()
    if method is None:
        gate.open()
    else:
        await asyncio.to_thread(server.data, method, job_id=job_id)
    event = (await socket.until_end(job_id))[-1]
    assert time.monotonic() - began < 10 * PUSH_SECONDS
    names = {"queue_job": {"stopped": "job_stopped", "completed": "job_completed"}}
    session = {"stopped": "command_cancelled", "completed": "command_completed"}
    assert event["event"] == names.get(kind, session)[last]


async def test_a_job_that_is_evicted_has_an_end_and_a_reason(server: Server, socket: Socket) -> None:
    params = {"job_type": "command_execution", "queue": "tiny", "params": {"command": "add_numbers", "params": ADD}}
    for job_id in ("evicted", "evictor"):
        await socket.subscribe(job_id, "command_session")
        await asyncio.to_thread(server.data, "queue_add_job", job_id=job_id, **params)
    (event,) = await socket.until_end("evicted")
    assert (event["event"], event["status"], event["data"]) == ("command_cancelled", "stopped", {"reason": "evicted"})


ADD = {"a": 1, "b": 1}


async def test_progress_is_pushed_while_the_job_runs(server: Server, socket: Socket, gate: Gate) -> None:
    job_id = await socket.run("narrate", gate=str(gate))
    while (event := await socket.next()).get("description") != "half way":
        assert event["event"] == "command_progress"
    assert event["progress"] == 50
    gate.open()
    events = await socket.until_end(job_id)
    assert {event["event"] for event in events[:-1]} <= {"command_progress"}
    assert events[-1]["event"] == "command_completed"


async def test_progress_by_the_clock_is_pushed_too(server: Server, socket: Socket, gate: Gate) -> None:
    job_id = await socket.run("take_its_time", duration=0.5, steps=5, gate=str(gate))
    seen: list[int] = []
    while 99 not in seen:
        seen.append((await socket.next())["progress"])
    assert seen == sorted(seen)
    gate.open()
    assert [event["event"] for event in await socket.until_end(job_id)] == ["command_completed"]
    assert (await asyncio.to_thread(server.status, job_id))["progress"] == 100


async def test_a_subscriber_may_be_there_before_the_job_and_another_after_its_end(
    server: Server, socket: Socket, job_id: str
) -> None:
    await socket.subscribe(job_id)
    await asyncio.to_thread(server.add, job_id, command="add_numbers", params=ADD)
    assert (await socket.until_end(job_id))[-1]["event"] == "job_completed"
    for _ in range(2):
        await socket.subscribe(job_id)
        (event,) = await socket.until_end(job_id)
        assert event["result"]["result"]["data"] == {"sum": 2}


async def test_a_retry_is_no_end(server: Server, socket: Socket, gate: Gate, job_id: str) -> None:
    await socket.subscribe(job_id, "command_session")
    command = {"command": "succeed_at_last", "params": {"gate": str(gate)}}
    job = {"job_type": "command_execution", "job_id": job_id, "params": command, "start": True, "max_retries": 1}
    await asyncio.to_thread(server.data, "queue_add_job", **job)
    seen: list[tuple[int, str]] = []
    while (10, "attempt 2") not in seen:
        event = await socket.next()
        assert event["event"] == "command_progress", event
        seen.append((event["progress"], event["description"]))
    assert (60, "attempt 1") in seen
    gate.open()
    assert (await socket.until_end(job_id))[-1]["event"] == "command_completed"


async def test_no_end_of_many_short_sessions_is_lost_and_each_comes_after_its_acceptance(
    server: Server, socket: Socket
) -> None:
    count = 300
    for number in range(count):
        params = {"a": number, "b": 0}
        await socket.send(action="execute_command", command="add_numbers", params=params, request_id=str(number))
    heard: dict[str, list[str]] = {}
    while sum(events[-1] == "command_completed" for events in heard.values()) < count:
        event = await socket.next()
        heard.setdefault(event["request_id"], []).append(event["event"])
    assert all(events[0] == "command_accepted" for events in heard.values())
    assert all(events.count("command_completed") == 1 for events in heard.values())


async def test_a_command_in_the_servers_own_process_has_its_end_pushed(
    server: Server, socket: Socket, gate: Gate
) -> None:
    job_id = await socket.run("hold_in_server", gate=str(gate))
    began = time.monotonic()
    gate.open()
    assert (await socket.until_end(job_id))[-1]["event"] == "command_completed"
    assert time.monotonic() - began < 10 * PUSH_SECONDS
