"""The adapter's own client, unchanged, against the plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from mcp_proxy_adapter.client.jsonrpc_client import JsonRpcClient
from mcp_proxy_adapter.client.jsonrpc_client.exceptions import (
    ClientRemoteResponseError,
    CommandInnerFailureError,
    CommandSessionFailedError,
    CommandSessionTimeoutError,
)

from tests.acceptance.harness.configuration import HOST
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated, please use:DeprecationWarning")
"""The client calls aiohttp as aiohttp no longer likes it."""

TERMINAL_EVENTS = {"command_completed", "command_failed", "command_cancelled"}
TERMINAL_PUSHES = {"job_completed", "job_failed", "job_stopped"}
SECONDS = 15.0


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Any]:
    client = JsonRpcClient(protocol="http", host=HOST, port=int(server.url.rpartition(":")[2]), timeout=30.0)
    yield client
    await client.close()


async def poll(client: Any, job_id: str) -> dict[str, Any]:
    """The record of a job that has ended, by the client's own polling."""
    async with asyncio.timeout(SECONDS):
        while True:
            record: dict[str, Any] = (await client.queue_get_job_status(job_id))["data"]
            if record["status"] not in ("pending", "running"):
                return record
            await asyncio.sleep(0.02)


async def test_it_adds_starts_polls_lists_and_deletes(client: Any, job_id: str) -> None:
    params = {"command": "add_numbers", "params": {"a": 2, "b": 2}}
    added = (await client.queue_add_job("command_execution", job_id, params))["data"]
    assert (added["job_id"], added["status"]) == (job_id, "pending")
    started = (await client.queue_start_job(job_id))["data"]
    assert started["status"] in ("pending", "running")
    record = await poll(client, job_id)
    assert record["result"]["result"]["data"] == {"sum": 4}
    listed = (await client.queue_list_jobs(status="completed"))["data"]
    assert job_id in {job["job_id"] for job in listed["jobs"]}
    assert (await client.queue_get_job_logs(job_id))["data"]["stdout"] == []
    assert (await client.queue_delete_job(job_id))["data"]["status"] == "deleted"
    assert (await client.queue_health())["data"]["status"] == "healthy"


async def test_it_stops(client: Any, server: Server, job_id: str) -> None:
    await client.queue_add_job("patient", job_id, {})
    await client.queue_start_job(job_id)
    await asyncio.to_thread(server.running, job_id)
    assert (await client.queue_stop_job(job_id))["data"]["status"] == "stopped"


async def test_it_is_refused_a_stop_of_what_has_ended_but_may_delete_it_twice(client: Any, job_id: str) -> None:
    await client.queue_add_job("patient", job_id, {})
    stopped = (await client.queue_stop_job(job_id))["data"]
    assert (stopped["message"], stopped["stopped"]) == (f"Job {job_id} stopped successfully", True)
    refusal = await client.queue_stop_job(job_id)
    assert (refusal["success"], refusal["error"]["data"]["domain_code"]) == (False, "JOB_STATE_INVALID")
    for _ in range(2):
        assert (await client.queue_delete_job(job_id))["data"]["deleted_confirmed"] is True
    refusal = await client.queue_stop_job(job_id)
    assert refusal["error"]["data"]["domain_code"] == "JOB_NOT_FOUND"


@pytest.mark.parametrize("verb", ["queue_stop_job", "queue_delete_job"])
@pytest.mark.parametrize("start", [False, True], ids=["pending", "running"])
async def test_a_push_tells_once_that_a_job_was_stopped_or_deleted(
    client: Any, server: Server, job_id: str, verb: str, start: bool
) -> None:
    await asyncio.to_thread(server.add, job_id, "patient", start=start)
    if start:
        await asyncio.to_thread(server.running, job_id)
    marker = f"{job_id[:190]} marker"
    await asyncio.to_thread(server.add, marker, "patient", start=False)
    url = f"{server.url.replace('http', 'ws', 1)}/ws"
    told: list[tuple[str, str]] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for subscribed, ask in ((job_id, getattr(client, verb)), (marker, client.queue_stop_job)):
            await socket.send_json({"action": "subscribe", "subscription_type": "queue_job", "job_id": subscribed})
            await ask(subscribed)
        while (marker, "job_stopped") not in told:
            event = await socket.receive_json(timeout=SECONDS)
            told.append((event["job_id"], event["event"]))
    assert [event for event in told if event[0] == job_id and event[1] in TERMINAL_PUSHES] == [(job_id, "job_stopped")]


async def test_a_push_tells_of_the_end(client: Any, server: Server, gate: Gate) -> None:
    job_id = (await client.execute_command("hold", {"gate": str(gate)}))["job_id"]
    await asyncio.to_thread(server.running, job_id)
    waiting = asyncio.create_task(client.wait_for_job_via_websocket(job_id, timeout=SECONDS))
    gate.open()
    event = await waiting
    assert (event["event"], event["job_id"]) == ("job_completed", job_id)


async def test_a_push_for_a_job_that_has_ended_already(client: Any, server: Server) -> None:
    job_id = await asyncio.to_thread(server.submit, "raise_error")
    await asyncio.to_thread(server.ended, job_id)
    assert (await client.wait_for_job_via_websocket(job_id, timeout=SECONDS))["event"] == "job_failed"


async def test_a_unified_call_waits_for_its_result(client: Any) -> None:
    answer = await client.execute_command_unified("add_numbers", {"a": 3, "b": 4})
    assert (answer["mode"], answer["status"], answer["queued"]) == ("queued", "completed", True)
    assert answer["result"]["result"]["data"] == {"sum": 7}


async def test_a_unified_call_tells_failures_apart(client: Any) -> None:
    with pytest.raises(CommandSessionFailedError) as failed:
        await client.execute_command_unified("raise_error", {})
    assert "failed" in str(failed.value.details)
    answer = await client.execute_command_unified("return_error", {})
    assert answer["result"]["result"]["error"]["message"] == "no paper"
    with pytest.raises(CommandInnerFailureError) as inner:
        await client.execute_command_unified("return_error", {}, raise_on_inner_failure=True)
    assert (inner.value.status, inner.value.error_code) == ("completed", -32011)


async def test_a_session_streams_events_and_then_has_the_result(client: Any) -> None:
    session = await client.execute_command_unified("add_numbers", {"a": 1, "b": 1}, manual_event_handling=True)
    async with session:
        events = [event["event"] async for event in session.events()]
        assert events[-1] == "command_completed"
        assert TERMINAL_EVENTS.isdisjoint(events[:-1])
        assert (await session.result())["result"]["result"]["data"] == {"sum": 2}


@pytest.mark.parametrize("command", ["hold", "hold_in_server"])
async def test_a_session_can_be_cancelled(client: Any, server: Server, gate: Gate, command: str) -> None:
    params = {"gate": str(gate)}
    session = await client.execute_command_unified(command, params, manual_event_handling=True)
    async with session:
        reply = await session.cancel()
    assert (reply["job_id"], reply["status"]) == (session.job_id, "stopped")
    assert (await asyncio.to_thread(server.ended, session.job_id))["status"] == "stopped"


async def test_a_session_whose_caller_is_lost_is_cancelled(client: Any, server: Server, gate: Gate) -> None:
    params = {"gate": str(gate)}
    session = await client.execute_command_unified("hold", params, manual_event_handling=True)
    await session._channel._ws.close()
    assert (await asyncio.to_thread(server.ended, session.job_id))["status"] == "stopped"


async def test_a_caller_who_has_waited_long_enough_cancels_or_detaches(client: Any, server: Server, gate: Gate) -> None:
    ids = []
    for policy in ("cancel", "detach"):
        with pytest.raises(CommandSessionTimeoutError) as late:
            await client.execute_command_unified("hold", {"gate": str(gate)}, timeout=0.3, on_timeout=policy)
        ids.append(late.value.details["job_id"])
    gate.open()
    assert (await asyncio.to_thread(server.ended, ids[0]))["status"] == "stopped"
    assert await asyncio.to_thread(server.completed, ids[1]) == {"attempt": 1}


async def test_refusals_over_the_websocket_have_a_domain_code(client: Any, server: Server) -> None:
    done = (await client.execute_command_unified("add_numbers", {"a": 1, "b": 1}))["job_id"]
    assert "JOB_STATE_INVALID" in str(await exchange(server, {"action": "cancel_command", "job_id": done}))
    assert "JOB_NOT_FOUND" in str(await exchange(server, {"action": "cancel_command", "job_id": "nobody"}))


async def test_a_session_refuses_what_the_schema_forbids(client: Any, server: Server) -> None:
    before = await asyncio.to_thread(server.job_ids)
    with pytest.raises((ClientRemoteResponseError, CommandSessionFailedError)):
        await client.execute_command_unified("add_numbers", {"a": "one", "b": 1})
    assert await asyncio.to_thread(server.job_ids) == before


async def exchange(server: Server, message: dict[str, Any]) -> Any:
    """The first answer to one message on a socket of its own."""
    url = f"{server.url.replace('http', 'ws', 1)}/ws"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_json(message)
        return await socket.receive_json(timeout=SECONDS)
