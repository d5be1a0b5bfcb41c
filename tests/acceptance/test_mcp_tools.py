"""Commands as MCP tools: what is listed of them, and what a call answers to a client that knows no tasks."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.client.subscriptions import ToolsListChanged
from mcp_types import TextResourceContents, Tool

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.mcp import connected, start_job, text_of, wait_for_job
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

TOOLING = (*MODULES, f"{APP}.tooling")
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
SOON_SECONDS = 1.0


async def tools_of(server: Server, mode: str = "auto", **options: str) -> dict[str, Tool]:
    async with connected(server.url, tasks=False, mode=mode, **options) as client:
        return {tool.name: tool for tool in (await client.list_tools()).tools}


@MODES
async def test_every_command_is_a_tool_with_what_it_says_of_itself(application: Server, mode: str) -> None:
    tools = await tools_of(application, mode)
    assert set(tools) == set(application.get("/commands")["commands"])
    divide = tools["tool_divide"]
    assert (divide.description, divide.input_schema["required"]) == ("Divide a by b", ["a", "b"])
    assert divide.output_schema is not None
    of_data, started, message = divide.output_schema.pop("anyOf")
    assert divide.output_schema == {"type": "object", "$defs": {"number": {"type": "number"}}}
    assert of_data == {
        "type": "object",
        "properties": {"quotient": {"$ref": "#/$defs/number"}},
        "required": ["quotient"],
    }
    assert ("job_id" in started["required"], list(message["properties"])) == (True, ["message"])
    assert divide.annotations is not None
    assert (divide.annotations.read_only_hint, divide.annotations.title) == (True, "Division")


async def test_the_queues_own_tools_say_what_they_do(application: Server) -> None:
    hints = {name: tool.annotations for name, tool in (await tools_of(application)).items() if tool.annotations}
    reading = {name for name, hint in hints.items() if hint.read_only_hint and name.startswith("queue_")}
    assert reading == {
        "queue_get_job_status",
        "queue_wait_job",
        "queue_get_job_logs",
        "queue_get_job_result",
        "queue_list_jobs",
        "queue_health",
    }
    assert {name for name, hint in hints.items() if hint.destructive_hint} == {"queue_stop_job", "queue_delete_job"}
    assert hints["queue_stop_job"].idempotent_hint
    assert not hints["queue_retry_job"].idempotent_hint


async def test_the_configuration_says_which_commands_are_tools(start: StartServer, tmp_path: Path) -> None:
    tools = {"allow": ["queue_*", "add_*", "echo"], "deny": ["queue_pause", "queue_resume", "echo"]}
    config = write_configuration(tmp_path, queue_plugin={"mcp": {"path": "/agents/mcp", "tools": tools}})
    server = start(config)
    names = set(await tools_of(server, path="/agents/mcp"))
    assert {"add_numbers", "queue_wait_job"} <= names
    assert all(name.startswith("queue_") or name == "add_numbers" for name in names)
    assert not names & {"queue_pause", "queue_resume"}
    async with connected(server.url, path="/agents/mcp") as client:
        with pytest.raises(MCPError, match="there is no tool 'echo'"):
            await client.call_tool("echo", {"message": "x"})
    assert server.call("echo", message="over JSON-RPC")
    assert server.post("/mcp", "{}").status_code == 404


async def test_an_endpoint_that_is_disabled_is_not_there(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_plugin={"mcp": {"enabled": False}}))
    assert server.post("/mcp", "{}").status_code == 404


async def test_without_a_queue_the_tools_say_so(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"enabled": False}, modules=TOOLING))
    async with connected(server.url) as client:
        assert (await client.call_tool("tool_divide", {"a": 1, "b": 4})).structured_content == {"quotient": 0.25}
        for tool, arguments in (("add_numbers", {"a": 1, "b": 2}), ("queue_list_jobs", {})):
            refused = await client.call_tool(tool, arguments)
            assert (refused.is_error, "QUEUE_DISABLED" in text_of(refused)) == (True, True)
        with pytest.raises(MCPError, match=r"queue_manager\.enabled"):
            await client.list_resources()


async def test_the_path_is_served_with_and_without_a_slash(application: Server) -> None:
    assert await tools_of(application, path="/mcp/") == await tools_of(application, path="/mcp")


async def test_a_command_that_is_registered_later_joins_and_who_listens_hears_of_it(application: Server) -> None:
    name = f"tool_later_{uuid.uuid4().hex[:8]}"
    async with connected(application.url) as client:
        assert name not in {tool.name for tool in (await client.list_tools()).tools}
        async with client.listen(tools_list_changed=True) as events:
            assert text_of(await client.call_tool("tool_register", {"name": name})) == "registered"
            async with asyncio.timeout(5):
                event = await anext(aiter(events))
        assert event == ToolsListChanged()
        answer = await client.call_tool(name, {"a": 1, "b": 4})
    assert answer.structured_content == {"quotient": 0.25}


@MODES
async def test_a_call_answers_for_programs_and_in_text(application: Server, mode: str) -> None:
    async with connected(application.url, mode=mode) as client:
        answer = await client.call_tool("tool_divide", {"a": 1, "b": 4})
        assert (answer.is_error, answer.structured_content) == (False, {"quotient": 0.25})
        assert json.loads(text_of(answer)) == answer.structured_content


@MODES
async def test_what_goes_wrong_is_told_so_that_a_model_can_do_better(application: Server, mode: str) -> None:
    async with connected(application.url, mode=mode) as client:
        failed = await client.call_tool("tool_divide", {"a": 1, "b": 0})
        assert (failed.is_error, text_of(failed).splitlines()[0]) == (True, "b must not be 0")
        assert json.loads(text_of(failed).splitlines()[1]) == {"code": -32011, "data": {"b": 0}}
        for tool in ("tool_divide", "add_numbers"):
            refused = await client.call_tool(tool, {"a": 1})
            assert refused.is_error
            assert "b" in json.loads(text_of(refused).splitlines()[1])["data"]["missing_parameters"]
        missing = await client.call_tool("queue_get_job_status", {"job_id": "nobody's"})
        assert (missing.is_error, "JOB_NOT_FOUND" in text_of(missing)) == (True, True)
        with pytest.raises(MCPError, match="there is no tool 'nothing'") as refusal:
            await client.call_tool("nothing", {})
        assert refusal.value.code == -32602


@MODES
async def test_what_breaks_in_the_server_is_told_to_its_log_alone(application: Server, mode: str) -> None:
    async with connected(application.url, mode=mode) as client:
        broken = await client.call_tool("tool_odd", {})
    assert (broken.is_error, text_of(broken).splitlines()[0]) == (
        True,
        "tool_odd failed; the server's log says why",
    )
    assert "The tool tool_odd failed" in application.log_text()


async def test_a_cursor_that_no_page_has_told_is_refused(application: Server) -> None:
    async with connected(application.url) as client:
        for ask in (client.list_tools, client.list_resources):
            with pytest.raises(MCPError, match="is not the nextCursor of a page"):
                await ask(cursor="no cursor")


@MODES
async def test_a_long_command_answers_at_once_and_one_wait_brings_its_result(application: Server, mode: str) -> None:
    async with connected(application.url, tasks=False, mode=mode) as client:
        began = time.monotonic()
        answer = await client.call_tool("add_numbers", {"a": 1, "b": 2})
        assert time.monotonic() - began < SOON_SECONDS
        started = answer.structured_content
        assert (started["status"], started["poll_with"]) == ("pending", "queue_wait_job")
        assert started["poll_after_seconds"] > 0
        assert "call queue_wait_job" in text_of(answer)
        record = await wait_for_job(client, started["job_id"])
    assert (record["status"], record["result"]["result"]["data"]) == ("completed", {"sum": 3})
    assert record["next"] == "The job has ended; there is nothing more to wait for."


async def test_the_servers_instructions_explain_that(application: Server) -> None:
    async with connected(application.url) as client:
        assert client.instructions is not None
        assert len(client.instructions.splitlines()) == 5
        assert "queue_wait_job" in client.instructions


@MODES
async def test_a_wait_tells_the_progress(application: Server, gate: Gate, mode: str) -> None:
    told: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)
        if (progress, total) == (50, 100) and re.fullmatch(r"50 %, about \d+ s left: half way", message or ""):
            gate.open()

    async with connected(application.url, tasks=False, mode=mode) as client:
        job_id = await start_job(client, "tool_steps", gate=str(gate))
        record = await wait_for_job(client, job_id, progress_callback=note)
    assert record["status"] == "completed"
    assert 50 in told
    assert told == sorted(set(told))


async def test_a_wait_ends_in_time_and_says_what_to_do(application: Server, gate: Gate) -> None:
    async with connected(application.url, tasks=False) as client:
        job_id = await start_job(client, "tool_steps", gate=str(gate))
        answer = await client.call_tool("queue_wait_job", {"job_id": job_id, "wait_seconds": 0.2})
    assert not answer.is_error, answer
    assert answer.structured_content["timed_out"]
    assert answer.structured_content["next"] == "The job has not ended: call queue_wait_job again."


async def test_a_wait_may_take_longer_than_over_json_rpc(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, queue_manager={"command_timeout": 1.2}, modules=TOOLING)
    server, gate = start(config), Gate(tmp_path / "gate")
    job_id = server.submit("hold", gate=str(gate))
    assert server.data("queue_wait_job", job_id=job_id)["wait_capped_seconds"] == pytest.approx(0.2)
    async with connected(server.url, tasks=False) as client:
        record = (await client.call_tool("queue_wait_job", {"job_id": job_id, "wait_seconds": 2})).structured_content
        assert (record["timed_out"], "wait_capped_seconds" in record) == (True, False)
        refused = await client.call_tool("queue_wait_job", {"job_id": job_id, "wait_seconds": 56})
        assert "55" in text_of(refused)
        # A command of the server itself becomes a job after the cap, and runs on.
        handed_over = await start_job(client, "tool_slow_in_server", gate=str(gate), path=str(tmp_path / "end"))
        gate.open()
        record = await wait_for_job(client, handed_over)
    assert record["result"]["result"]["data"] == {"ended": True}


@MODES
async def test_an_answer_about_a_job_or_of_a_message_alone_is_one_that_the_tool_has_told_of(
    start: StartServer, tmp_path: Path, mode: str
) -> None:
    config = write_configuration(tmp_path, queue_manager={"command_timeout": 1.2}, modules=TOOLING)
    server, gate = start(config), Gate(tmp_path / "gate")
    # The client raises whatever is not as the tool's schema says.
    async with connected(server.url, tasks=False, mode=mode) as client:
        answer = await client.call_tool("tool_strict_answer", {})
        assert answer.structured_content == {"message": "nothing to wait for"}
        job_id = await start_job(client, "tool_strict_answer", gate=str(gate), path=str(tmp_path / "end"))
        gate.open()
        record = await wait_for_job(client, job_id)
        assert record["result"]["result"]["data"] == {"ended": True}
        answer = await client.call_tool("tool_strict_answer", {"gate": str(gate), "path": str(tmp_path / "end")})
        assert answer.structured_content == {"ended": True}


@MODES
async def test_a_schema_with_definitions_of_its_own_holds_for_a_start(application: Server, mode: str) -> None:
    async with connected(application.url, tasks=False, mode=mode) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "tool_parts"]
        assert tool.output_schema is not None
        assert set(tool.output_schema["$defs"]) == {"Part"}
        job_id = await start_job(client, "tool_parts", count=2)
        record = await wait_for_job(client, job_id)
    assert record["result"]["result"]["data"] == {"parts": [{"name": "0"}, {"name": "1"}]}


async def test_a_schema_with_definitions_of_its_own_holds_for_what_a_task_has_answered(application: Server) -> None:
    async with connected(application.url) as client:
        answer = await client.call_tool("tool_parts", {"count": 2})
    assert answer.structured_content == {"parts": [{"name": "0"}, {"name": "1"}]}


@MODES
async def test_a_command_that_describes_itself_badly_can_be_called_and_takes_no_other_away(
    application: Server, mode: str
) -> None:
    async with connected(application.url, tasks=False, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        bad = tools["tool_badly_described"]
        assert (bad.input_schema, bad.output_schema, bad.annotations) == ({"type": "object"}, None, None)
        assert (await client.call_tool("tool_badly_described", {})).structured_content == {"called": True}
    assert "tool_divide" in tools
    application.wait_for_log("The command 'tool_badly_described' is listed by its name and description alone")


async def test_a_result_that_is_too_long_to_read_is_read_in_pieces(application: Server) -> None:
    async with connected(application.url, tasks=False) as client:
        job_id = await start_job(client, "tool_big_result", count=100_000)
        answer = await client.call_tool("queue_wait_job", {"job_id": job_id})
        record = answer.structured_content
        assert len(text_of(answer).encode()) <= 65_536
        assert (record["result"], record["result_piece"]["total_bytes"] > 300_000) == (None, True)
        pieces, cursor = [record["result_piece"]["text"]], record["result_piece"]["next_cursor"]
        while cursor is not None:
            rest = await client.call_tool("queue_get_job_result", {"job_id": job_id, "cursor": cursor})
            assert len(text_of(rest).encode()) <= 65_536
            pieces.append(rest.structured_content["text"])
            cursor = rest.structured_content["next_cursor"]
        (whole,) = (await client.read_resource(f"job://{job_id}/result")).contents
    assert isinstance(whole, TextResourceContents)
    assert "".join(pieces) == whole.text
    assert json.loads("".join(pieces))["result"]["data"]["text"] == "€" * 100_000


async def test_lists_and_logs_are_cut_to_what_can_be_read_and_go_on_from_their_cursor(application: Server) -> None:
    async with connected(application.url, tasks=False) as client:
        job_id = await start_job(client, "print_lines", count=3000)
        await wait_for_job(client, job_id)
        lines, cursor = [], None
        while True:
            arguments = {"job_id": job_id, **({} if cursor is None else {"cursor": cursor})}
            answer = await client.call_tool("queue_get_job_logs", arguments)
            assert len(text_of(answer).encode()) <= 65_536
            page = answer.structured_content
            if not page["entries"]:
                break
            lines += [entry["line"] for entry in page["entries"]]
            cursor = page["next_cursor"]
    assert lines == [f"line {number}" for number in range(3000)]


async def test_a_client_that_goes_away_ends_nothing(application: Server, gate: Gate, tmp_path: Path) -> None:
    path = tmp_path / "ended"
    async with connected(application.url, tasks=False) as client:
        job_id = await start_job(client, "hold", gate=str(gate))
        with pytest.raises(MCPError):
            await client.call_tool("queue_wait_job", {"job_id": job_id}, read_timeout_seconds=0.3)
        arguments = {"gate": str(gate), "path": str(path)}
        with pytest.raises(MCPError):
            await client.call_tool("tool_slow_in_server", arguments, read_timeout_seconds=0.3)
    until(lambda: not application.health()["waiting_calls"], "the wait of the lost client is over")
    assert application.status(job_id)["status"] == "running"
    gate.open()
    assert application.completed(job_id) == {"attempt": 1}
    until(path.exists, "the command in the server has gone on to its end")


async def test_a_tool_that_must_be_followed_says_what_its_client_lacks(application: Server) -> None:
    async with connected(application.url, tasks=False) as client:
        with pytest.raises(MCPError) as refusal:
            await client.call_tool("tool_task_only", {})
    assert refusal.value.code == -32021
    assert refusal.value.data == {"requiredCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
    async with connected(application.url) as client:
        answer = await client.call_tool("tool_task_only", {})
    assert answer.structured_content == {"followed": True}
