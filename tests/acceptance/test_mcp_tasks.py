"""Long commands as tasks of the extension ``io.modelcontextprotocol/tasks``: their life, as it is on the wire."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import ElicitRequestParams, ElicitResult

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.mcp import (
    ENDED,
    TASKS,
    cancel_task,
    connected,
    get_task,
    start_task,
    task_until,
    update_task,
)
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

RETENTION_SECONDS = 21_600
END_SECONDS = 12.0
"""Far less than what a server waits for connections that are in use."""
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Content-Type": "application/json",
}


def envelope(**params: Any) -> dict[str, Any]:
    """Parameters with what the protocol wants to know of each request's client."""
    capabilities: dict[str, Any] = {"extensions": {TASKS: {}}}
    version, declared = "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"
    return {**params, "_meta": {version: "2026-07-28", declared: capabilities}}


@asynccontextmanager
async def listening(
    server: Server, headers: dict[str, str] | None = None, **notifications: Any
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """What a stream of ``subscriptions/listen`` brings, message by message."""
    body = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "subscriptions/listen",
        "params": envelope(notifications=notifications),
    }
    sent = {**HEADERS, "Mcp-Method": "subscriptions/listen", **(headers or {})}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{server.url}/mcp", json=body, headers=sent) as response,
    ):

        async def messages() -> AsyncIterator[dict[str, Any]]:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

        yield messages()


async def test_a_task_is_the_job_from_its_start_to_its_result(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        created = await start_task(client, "hold", gate=str(gate))
        job_id = created["taskId"]
        assert set(created) == {
            "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"
        }  # fmt: skip
        assert (created["status"], created["ttlMs"]) == ("working", None)
        assert application.status(job_id)["command"] == "hold"
        application.running(job_id, "running")
        task = await get_task(client.session, job_id)
        assert (task["status"], task["statusMessage"]) == ("working", "0 %: running")
        gate.open()
        ended = await task_until(client.session, job_id, *ENDED)
        assert ended["result"]["structuredContent"] == {"attempt": 1}
        assert json.loads(ended["result"]["content"][0]["text"]) == {"attempt": 1}
        assert ended["ttlMs"] >= 1000 * RETENTION_SECONDS
        record = application.status(job_id)
        # The job has ended a moment before that was stored.
        assert ended["createdAt"] == record["created_at"] < record["completed_at"] <= ended["lastUpdatedAt"]


async def test_the_official_client_follows_a_task_by_itself(application: Server) -> None:
    async with connected(application.url) as client:
        answer = await client.call_tool("add_numbers", {"a": 1, "b": 2})
    assert (answer.is_error, answer.structured_content) == (False, {"sum": 3})


@pytest.mark.parametrize("tool", ["raise_error", "return_error", "raise_command_error"])
async def test_a_tool_that_fails_is_completed_with_an_error(application: Server, tool: str) -> None:
    said = {
        "raise_error": "no number can be divided by zero",
        "return_error": "no paper",
        "raise_command_error": "the printer is on fire",
    }[tool]
    async with connected(application.url) as client:
        created = await start_task(client, tool)
        task = await task_until(client.session, created["taskId"], *ENDED)
    assert (task["status"], task["result"]["isError"]) == ("completed", True)
    assert task["result"]["content"][0]["text"].startswith(said)
    assert "structuredContent" not in task["result"]


async def test_a_crash_is_a_failed_task(application: Server, tmp_path: Path) -> None:
    async with connected(application.url) as client:
        created = await start_task(client, "die", path=str(tmp_path / "runs"))
        task = await task_until(client.session, created["taskId"], *ENDED)
    assert (task["status"], task["error"]["code"]) == ("failed", -32603)
    assert "result" not in task


async def test_a_cancelled_task_is_a_stopped_job_and_cancelling_again_changes_nothing(
    application: Server, gate: Gate
) -> None:
    async with connected(application.url) as client:
        task_id = (await start_task(client, "hold", gate=str(gate)))["taskId"]
        assert await cancel_task(client.session, task_id) == {"resultType": "complete"}
        task = await task_until(client.session, task_id, *ENDED)
        assert (task["status"], task["statusMessage"]) == ("cancelled", "cancelled by its client")
        assert await cancel_task(client.session, task_id) == {"resultType": "complete"}
    assert application.status(task_id)["reason"] == "cancelled by its client"


async def test_a_task_that_waits_says_at_which_place(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        held = [await start_task(client, "hold", gate=str(gate)) for _ in range(3)]
        for task in held:
            application.running(task["taskId"])
        waiting = (await start_task(client, "hold", gate=str(gate)))["taskId"]
        task = await get_task(client.session, waiting)
        assert task["statusMessage"].startswith("waits at position 1 of its queue, about ")
        gate.open()
        await task_until(client.session, waiting, "completed")


async def test_a_task_whose_queue_is_paused_says_so(application: Server) -> None:
    async with connected(application.url) as client:
        application.call("queue_pause", queue="default")
        try:
            task = await start_task(client, "add_numbers", a=1, b=2)
            assert task["statusMessage"].endswith("of its queue, which is paused")
        finally:
            application.call("queue_resume", queue="default")
        await task_until(client.session, task["taskId"], "completed")


async def test_who_has_not_declared_tasks_is_told_so_and_unknown_ids_are_refused(application: Server) -> None:
    async with connected(application.url, tasks=False) as client:
        for ask in (get_task, cancel_task):
            with pytest.raises(MCPError) as refusal:
                await ask(client.session, "nobody's")
            assert (refusal.value.code, refusal.value.data["requiredCapabilities"]) == (
                -32021,
                {"extensions": {TASKS: {}}},
            )
    async with connected(application.url) as client:
        for ask in (get_task, cancel_task):
            with pytest.raises(MCPError, match="nobody's") as refusal:
                await ask(client.session, "nobody's")
            assert refusal.value.code == -32602
    async with connected(application.url, mode="legacy") as client:
        with pytest.raises(MCPError, match="Method not found"):
            await get_task(client.session, "nobody's")


async def answered(client: Client, tool: str, responses: dict[str, Any]) -> dict[str, Any]:
    """The end of a task that asked, and was answered through its task."""
    task_id = (await start_task(client, tool))["taskId"]
    asking = await task_until(client.session, task_id, "input_required")
    assert asking["inputRequests"].keys() <= {"first", "left", "right"}
    for key, response in responses.items():
        await update_task(client.session, task_id, {key: response})
    return await task_until(client.session, task_id, *ENDED)


async def test_a_job_asks_through_its_task_and_is_answered_by_an_update(application: Server) -> None:
    async with connected(application.url) as client:
        task_id = (await start_task(client, "ask"))["taskId"]
        asking = await task_until(client.session, task_id, "input_required")
        question = asking["inputRequests"]["first"]
        assert (question["method"], question["params"]["message"]) == ("elicitation/create", "How many?")
        assert question["params"]["requestedSchema"]["required"] == ["count"]
        accepted = {"action": "accept", "content": {"count": 3}}
        # What is not asked is passed over; what is no answer is refused, and nothing is answered by it.
        assert await update_task(client.session, task_id, {"unknown": {"x": 1}}) == {"resultType": "complete"}
        for wrong in ({"action": "accept", "content": {"count": "many"}}, {"action": "accept"}, {"action": "no"}, 5):
            with pytest.raises(MCPError) as refusal:
                await update_task(client.session, task_id, {"first": wrong})
            assert refusal.value.code == -32602
        assert (await get_task(client.session, task_id))["status"] == "input_required"
        assert await update_task(client.session, task_id, {"first": accepted}) == {"resultType": "complete"}
        ended = await task_until(client.session, task_id, *ENDED)
        assert await update_task(client.session, task_id, {"first": accepted}) == {"resultType": "complete"}
    assert ended["result"]["structuredContent"] == {"answer": {"count": 3}, "attempt": 1}


async def test_a_question_for_any_value_is_a_form_with_one_field(application: Server) -> None:
    def told(text: str) -> dict[str, Any]:
        return {"action": "accept", "content": {"answer": text}}

    async with connected(application.url) as client:
        ended = await answered(client, "ask_both", {"left": told("L"), "right": told("R")})
        assert ended["result"]["structuredContent"] == {"left": "L", "right": "R"}
        declined = await answered(client, "ask", {"first": {"action": "decline"}})
    assert declined["result"]["isError"]


async def test_a_missing_argument_is_asked_for_before_anything_is_started(application: Server) -> None:
    async def answer(_: Any, params: ElicitRequestParams) -> ElicitResult:
        assert "city" in params.message
        return ElicitResult(action="accept", content={"city": "Bern"})

    async with connected(application.url, elicitation_callback=answer) as client:
        there = await client.call_tool("tool_ask_first", {})
        assert there.structured_content == {"city": "Bern"}
        told = await client.call_tool("tool_ask_first", {"city": "Basel"})
        assert told.structured_content == {"city": "Basel"}
    async with connected(application.url) as client:
        assert (await client.call_tool("tool_ask_first", {})).structured_content == {"city": None}


async def test_a_stream_tells_each_state_of_its_tasks_to_their_end(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        task_id = (await start_task(client, "tool_steps", gate=str(gate)))["taskId"]
    async with asyncio.timeout(20), listening(application, taskIds=[task_id, "nobody's"]) as messages:
        acknowledged = await anext(messages)
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert acknowledged["params"]["notifications"] == {"taskIds": [task_id]}
        statuses = []
        async for message in messages:
            assert message["method"] == "notifications/tasks"
            task = message["params"]
            assert task["taskId"] == task_id
            assert task["_meta"]["io.modelcontextprotocol/subscriptionId"] == 7
            statuses.append(task["status"])
            if "50 %" in task.get("statusMessage", ""):
                gate.open()
            if task["status"] == "completed":
                break
    assert task["result"]["structuredContent"] == {"done": True}
    assert set(statuses[:-1]) == {"working"}


async def test_a_resource_that_changes_is_told_too(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        job_id = (await start_task(client, "hold", gate=str(gate)))["taskId"]
        uris = [f"job://{job_id}", f"job://{job_id}/result"]
        async with client.listen(resource_subscriptions=[*uris, "job://nobody's", "test://else"]) as events:
            assert events.honored.resource_subscriptions == uris
            gate.open()
            seen: set[str] = set()
            async with asyncio.timeout(10):
                while len(seen) < 2:
                    event = await anext(aiter(events))
                    assert isinstance(event, ResourceUpdated)
                    seen.add(event.uri)
        assert seen == set(uris)
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        assert f"job://{job_id}" in listed
        with pytest.raises(MCPError) as refusal:
            await client.read_resource("job://nobody's")
        assert refusal.value.code == -32602


async def test_a_server_that_ends_closes_its_streams(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path))
    gate = Gate(tmp_path / "gate")
    job_id = server.submit("hold", gate=str(gate))
    async with asyncio.timeout(20), listening(server, taskIds=[job_id]) as messages:
        await anext(messages)
        gate.open()
        server.completed(job_id)
        began = time.monotonic()
        assert await asyncio.to_thread(server.terminate) == 0
        assert time.monotonic() - began < END_SECONDS
