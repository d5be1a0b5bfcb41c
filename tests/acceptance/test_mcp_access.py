"""The MCP endpoint of a server that asks for tokens, and what it makes of requests that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.callers import ALICE, AUTH, BOB, ROOT, WAITS_MAX
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.mcp import (
    cancel_task,
    connected,
    get_task,
    start_task,
    task_until,
    text_of,
    update_task,
)
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until
from tests.acceptance.test_mcp_tasks import HEADERS, envelope, listening

OF_OPERATORS = {"config", "settings", "load", "unload", "reload", "plugins", "queue_pause", "queue_resume"}

Look = Callable[[Client, str], Awaitable[Any]]


def tool(name: str, **more: Any) -> Look:
    async def look(client: Client, job_id: str) -> CallToolResult:
        return await client.call_tool(name, {"job_id": job_id, **more})

    return look


LOOKS: dict[str, Look] = {
    "tasks/get": lambda client, job_id: get_task(client.session, job_id),
    "tasks/cancel": lambda client, job_id: cancel_task(client.session, job_id),
    "tasks/update": lambda client, job_id: update_task(client.session, job_id, {"first": {"action": "decline"}}),
    "record": lambda client, job_id: client.read_resource(f"job://{job_id}"),
    "logs": lambda client, job_id: client.read_resource(f"job://{job_id}/logs"),
    "result": lambda client, job_id: client.read_resource(f"job://{job_id}/result"),
    "status": tool("queue_get_job_status"),
    "wait": tool("queue_wait_job", wait_seconds=0.1),
    "piece": tool("queue_get_job_result"),
    "log page": tool("queue_get_job_logs"),
    "stop": tool("queue_stop_job"),
    "delete": tool("queue_delete_job"),
    "answer": tool("queue_answer_job", key="first", value=1),
}


DISCOVER = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": envelope()}).encode()


def answer_to(server: Server, headers: dict[str, str], body: bytes, path: str = "/mcp") -> httpx.Response:
    return httpx.post(f"{server.url}{path}", headers=headers, content=body)


async def seen(client: Client, look: Look, job_id: str) -> Any:
    """What a look answers, or how it is refused, without the id that was asked for."""
    try:
        found = await look(client, job_id)
    except MCPError as error:
        found = (error.code, error.message, error.data)
    return repr(found).replace(job_id, "ID")


@pytest.mark.parametrize("token", [None, "wrong"])
def test_nobody_gets_in_without_a_token(guarded: Server, token: str | None) -> None:
    headers = HEADERS if token is None else {**HEADERS, "Authorization": f"Bearer {token}"}
    for path in ("/mcp", "/mcp/"):
        refused = answer_to(guarded, headers, b"{}", path)
        assert refused.status_code == 401


@pytest.mark.parametrize("look", LOOKS)
async def test_to_others_a_job_is_one_that_there_is_not(guarded: Server, gate: Gate, look: str) -> None:
    async with connected(guarded.url, token=ALICE) as alice, connected(guarded.url, token=BOB) as bob:
        job_id = (await start_task(alice, "hold", gate=str(gate)))["taskId"]
        assert await seen(bob, LOOKS[look], job_id) == await seen(bob, LOOKS[look], "x" * len(job_id))
        assert (await get_task(alice.session, job_id))["status"] == "working"
        gate.open()
        await task_until(alice.session, job_id, "completed")


async def test_each_lists_and_hears_of_its_own_jobs(guarded: Server, gate: Gate) -> None:
    async with (
        connected(guarded.url, token=ALICE) as alice,
        connected(guarded.url, token=BOB) as bob,
        connected(guarded.url, token=ROOT) as root,
    ):
        job_id = (await start_task(alice, "hold", gate=str(gate)))["taskId"]
        uri = f"job://{job_id}"
        lists = [[each.uri for each in (await who.list_resources()).resources] for who in (alice, bob, root)]
        assert [uri in listed for listed in lists] == [True, False, True]
        async with asyncio.timeout(20):
            for token, honoured in (
                (ALICE, {"taskIds": [job_id]}),
                (BOB, {"taskIds": []}),
                (ROOT, {"taskIds": [job_id]}),
            ):
                headers = {"Authorization": f"Bearer {token}"}
                async with listening(guarded, headers, taskIds=[job_id]) as messages:
                    assert (await anext(messages))["params"]["notifications"] == honoured
        gate.open()
        assert (await task_until(root.session, job_id, "completed"))["result"]["structuredContent"] == {"attempt": 1}


async def test_who_may_not_run_a_command_has_no_such_tool(guarded: Server, tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path / "stamps"), "seconds": 0, "blocking": False}
    tools = {}
    for token in (ALICE, BOB, ROOT):
        async with connected(guarded.url, token=token) as client:
            tools[token] = {each.name for each in (await client.list_tools()).tools}
            if "stamp" in tools[token]:
                assert not (await client.call_tool("stamp", arguments)).is_error
            else:
                with pytest.raises(MCPError, match="there is no tool 'stamp'"):
                    await client.call_tool("stamp", arguments)
    assert tools[ALICE] - tools[BOB] == {"stamp", "transfer_ack"} & tools[ALICE]
    assert tools[ROOT] - tools[ALICE] >= {"config", "settings", "load"}


async def test_only_administrators_pause_queues(guarded: Server) -> None:
    async with connected(guarded.url, token=ALICE) as alice:
        refused = await alice.call_tool("queue_pause", {"queue": "default"})
    assert (refused.is_error, "admin_roles" in text_of(refused)) == (True, True)


async def test_what_the_server_keeps_for_itself_is_refused_by_name(application: Server) -> None:
    async with connected(application.url) as client:
        for arguments in ({"a": 1, "b": 1, "context": {}}, {"a": 1, "b": 1, "cls": "x"}):
            refused = await client.call_tool("add_numbers", arguments)
            assert (refused.is_error, "is reserved" in text_of(refused)) == (True, True)


async def test_the_waits_of_a_caller_are_bounded(guarded: Server, gate: Gate) -> None:
    async with connected(guarded.url, token=ALICE, tasks=False) as alice:
        job_id = (await alice.call_tool("hold", {"gate": str(gate)})).structured_content["job_id"]
        arguments = {"job_id": job_id, "wait_seconds": 20}
        calls = [asyncio.ensure_future(alice.call_tool("queue_wait_job", arguments)) for _ in range(WAITS_MAX + 1)]
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = (call.result() for call in done)
        assert "TOO_MANY_WAITS" in text_of(refused)
        gate.open()
        for call in waiting:
            assert not (await call).is_error


async def test_a_command_that_is_forbidden_is_so_in_every_form(start: StartServer, tmp_path: Path) -> None:
    names = ("get_job_status", "get_job_logs", "get_job_result", "list_jobs", "stop_job", "answer_job")
    forbidden = {f"queue_{name}": ["write"] for name in names}
    plugin = {"access": {"owner_only": False}}
    server = start(write_configuration(tmp_path, queue_plugin=plugin, auth=AUTH, command_permissions=forbidden))
    gate = Gate(tmp_path / "gate")
    async with connected(server.url, token=ALICE) as alice, connected(server.url, token=BOB) as bob:
        job_id = (await start_task(alice, "hold", gate=str(gate)))["taskId"]
        for name in ("tasks/get", "tasks/cancel", "tasks/update", "record", "logs", "result"):
            with pytest.raises(MCPError, match="you lack the permission"):
                await LOOKS[name](bob, job_id)
        with pytest.raises(MCPError, match="you lack the permission"):
            await bob.list_resources()
        with pytest.raises(MCPError, match="you lack the permission"):
            async with bob.listen(resource_subscriptions=[f"job://{job_id}"]):
                pass
        assert (await get_task(alice.session, job_id))["status"] == "working"
        gate.open()
        await task_until(alice.session, job_id, "completed")


async def test_what_a_stream_is_about_counts_as_waits_of_its_caller(guarded: Server, gate: Gate) -> None:
    async with connected(guarded.url, token=ALICE) as alice:
        job_ids = [(await start_task(alice, "hold", gate=str(gate)))["taskId"] for _ in range(WAITS_MAX + 1)]
        headers = {"Authorization": f"Bearer {ALICE}"}
        async with listening(guarded, headers, taskIds=job_ids[:WAITS_MAX]) as messages:
            assert (await anext(messages))["method"] == "notifications/subscriptions/acknowledged"
            with pytest.raises(MCPError, match="of your calls wait already"):
                async with alice.listen(resource_subscriptions=[f"job://{job_ids[-1]}"]):
                    pass
        gate.open()
        for job_id in job_ids:
            await task_until(alice.session, job_id, "completed")


async def test_what_names_no_job_is_not_honoured_and_nothing_is_told_twice(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        job_id = (await start_task(client, "hold", gate=str(gate)))["taskId"]
        application.running(job_id, "running")
        uri = f"job://{job_id}"
        wanted = [uri, uri, "job://", f"{uri}/else", f"{uri}/logs/", "job://nobody's", "test://x"]
        async with client.listen(resource_subscriptions=wanted) as events:
            assert events.honored.resource_subscriptions == [uri]
        gate.open()
        await task_until(client.session, job_id, "completed")


def test_a_path_is_what_it_is(application: Server) -> None:
    for path in ("/mcp%0A", "/mcp/%0A", "//mcp", "/mcp/x", "/MCP"):
        assert answer_to(application, HEADERS, DISCOVER, path).status_code == 404


NOT_ONE_MESSAGE = {
    "no JSON": (b"{", -32700),
    "a key twice": (b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}', -32700),
    "NaN": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": NaN}}', -32700),
    "half a surrogate pair": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "\\ud800"}}', -32700),
    "too deep": (b"[" * 5000 + b"]" * 5000, None),
    "a batch": (b"[]", -32600),
    "a text": (b'"ping"', -32600),
    "no UTF-8": (b'{"x": "\xff"}', -32700),
}


@pytest.mark.parametrize("kind", NOT_ONE_MESSAGE)
@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
def test_what_is_not_one_message_is_refused_as_such(application: Server, kind: str, version: str) -> None:
    body, code = NOT_ONE_MESSAGE[kind]
    headers = {**HEADERS, "MCP-Protocol-Version": version}
    refused = answer_to(application, headers, body)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == code or code is None
    assert refused.json()["id"] is None


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_are_no_sessions_to_listen_to_or_to_end(application: Server, method: str) -> None:
    refused = httpx.request(method, f"{application.url}/mcp", headers=HEADERS)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


def test_a_message_that_is_too_large_is_refused_before_it_is_read(application: Server) -> None:
    refused = answer_to(application, HEADERS, b" " * 5_000_000)
    assert refused.status_code == 413


async def test_a_task_is_named_in_the_header_too(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        task_id = (await start_task(client, "hold", gate=str(gate)))["taskId"]
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": envelope(taskId=task_id)}
    body = json.dumps(asked).encode()
    codes = []
    for name in (None, "another", task_id):
        headers = {**HEADERS, "Mcp-Method": "tasks/get", **({} if name is None else {"Mcp-Name": name})}
        answer = answer_to(application, headers, body)
        codes.append((answer.status_code, answer.json().get("error", {}).get("code")))
    gate.open()
    assert codes == [(400, -32020), (400, -32020), (200, None)]


def test_a_page_of_another_host_is_not_served(application: Server) -> None:
    headers = {**HEADERS, "Mcp-Method": "server/discover"}
    port = application.url.rpartition(":")[2]
    served = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    for odd, status in ((served, 200), ({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)):
        answer = answer_to(application, {**headers, **odd}, DISCOVER)
        assert answer.status_code == status, answer.text


def test_hosts_and_origins_can_be_allowed(start: StartServer, tmp_path: Path) -> None:
    mcp = {"allowed_hosts": ["queue.example:*"], "allowed_origins": ["https://pages.example"]}
    server = start(write_configuration(tmp_path, queue_plugin={"mcp": mcp}))
    headers = {**HEADERS, "Mcp-Method": "server/discover", "Host": "queue.example:80"}
    assert answer_to(server, headers, DISCOVER).status_code == 200
    allowed = {**headers, "Origin": "https://pages.example"}
    assert answer_to(server, allowed, DISCOVER).status_code == 200
    assert answer_to(server, {**headers, "Host": "127.0.0.1"}, DISCOVER).status_code == 421


async def test_nothing_is_left_of_clients_that_have_gone(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path))
    process = psutil.Process(server.pid)
    before = process.num_fds()
    for mode in ("auto", "legacy"):
        async with connected(server.url, mode=mode) as client:
            await client.list_tools()
            await client.call_tool("add_numbers", {"a": 1, "b": 1})
    until(lambda: not server.health()["waiting_calls"], "nobody waits")
    until(lambda: process.num_fds() <= before + 1, "no connection is left but that of this test")
    assert "Traceback" not in server.log_text()
