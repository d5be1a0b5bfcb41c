"""MCP over standard input and output, without an application: lines, and what stands between them and a server."""

from __future__ import annotations

import asyncio
import json
import os
import select
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, JSONRPCError, JSONRPCNotification, JSONRPCResponse, TextContent

from mcp_queue_plugin.mcp.stdio import READ_BYTES, Lines, ProtocolStreams, encoded, serve_stdio

LINE_MAX_BYTES = 4096
PIPE_BYTES = 65_536
WAIT_SECONDS = 10.0
LONE = chr(0xD800)
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"o", b"ne", b"\n", b"two", b"\n\n"], [b"one", b"two", b""]),
        ([b"12345678\n"], [b"12345678"]),
        ([b"123456789\nnext\n"], [None, b"next"]),
        ([b"12345", b"6789", b"tail" * 10, b"tail\nnext\n"], [None, b"next"]),
        ([b"123456789\n123456789\nnext\n"], [None, None, b"next"]),
        ([b"begun"], []),
    ],
)
def test_lines_are_put_together_and_one_that_is_too_long_is_told_once(
    pieces: list[bytes], lines: list[bytes | None]
) -> None:
    taken = Lines(8)
    assert [line for piece in pieces for line in taken.feed(piece)] == lines


def test_a_line_is_too_long_as_soon_as_that_is_known() -> None:
    lines = Lines(8)
    assert lines.feed(b"123456789") == [None]
    assert lines.feed(b"x" * 100) == []
    assert lines.feed(b"x\nnext\n") == [b"next"]


@pytest.mark.parametrize("value", [LONE, object(), b"\xff"])
def test_what_no_json_can_hold_is_an_internal_error_of_the_same_request(value: Any) -> None:
    answer = json.loads(encoded(JSONRPCResponse(jsonrpc="2.0", id="seven", result={"value": value})))
    assert (answer["id"], answer["error"]["code"]) == ("seven", -32603)
    assert encoded(JSONRPCNotification(jsonrpc="2.0", method="told", params={"value": value})) == b""


class Connection:
    """The client's ends of two pipes."""

    def __init__(self) -> None:
        server_input, self.input = os.pipe()
        self.output, server_output = os.pipe()
        self.streams = ProtocolStreams(server_input, server_output)
        self._read = b""
        self._open = {self.input, self.output, *self.streams}

    def send(self, line: bytes) -> None:
        os.write(self.input, line + b"\n")

    def call(self, number: int, tool: str) -> None:
        params = {"name": tool, "arguments": {}, "_meta": META}
        self.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode())

    async def answers(self, count: int) -> dict[Any, dict[str, Any]]:
        def read() -> list[bytes]:
            while self._read.count(b"\n") < count:
                self._read += os.read(self.output, READ_BYTES)
            *lines, self._read = self._read.split(b"\n", count)
            return lines

        lines = await asyncio.wait_for(asyncio.to_thread(read), WAIT_SECONDS)
        return {answer["id"]: answer for answer in map(json.loads, lines)}

    def close(self, *descriptors: int) -> None:
        """Close these, or all; none twice, as another may have its number by then."""
        for descriptor in self._open & (set(descriptors) or self._open):
            self._open.remove(descriptor)
            os.close(descriptor)


@pytest.fixture
def connection() -> Iterator[Connection]:
    made = Connection()
    before = set(threading.enumerate())
    yield made
    made.close(made.input, made.output)
    # A thread that still writes would go on with whatever has the number of its descriptor next.
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("standard "):
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()
    made.close()


async def call_tool(_: Any, params: Any) -> CallToolResult:
    if params.name == "refused":
        raise MCPError(code=-32001, message=LONE)
    return CallToolResult(content=[TextContent(type="text", text={"lone": LONE, "large": "x" * 200_000}[params.name])])


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def serving(connection: Connection, server: Any = None) -> AsyncIterator[asyncio.Task[None]]:
    served = server or Server[Any]("unit", on_call_tool=call_tool)
    task = asyncio.create_task(serve_stdio(served, connection.streams, nothing(), LINE_MAX_BYTES))
    try:
        yield task
    finally:
        connection.close(connection.input)
        await asyncio.wait_for(task, WAIT_SECONDS)


async def test_one_answer_that_no_json_can_hold_does_not_end_the_others(connection: Connection) -> None:
    async with serving(connection):
        for number, tool in enumerate(("lone", "refused", "large")):
            connection.call(number, tool)
        answers = await connection.answers(3)
        assert [answers[number]["error"]["code"] for number in (0, 1)] == [-32603, -32603]
        assert answers[2]["result"]


async def test_lines_that_are_no_messages_are_answered_in_their_order(connection: Connection) -> None:
    async with serving(connection):
        message = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
        for line in (b" " * 2 * READ_BYTES + message, b"no json", b"\r"):
            await asyncio.to_thread(connection.send, line)
            assert line == b"\r" or list(await connection.answers(1)) == [None]
        connection.call(1, "large")
        assert list(await connection.answers(1)) == [1]


async def test_a_last_line_without_an_end_is_one(connection: Connection) -> None:
    async with serving(connection):
        os.write(connection.input, b"no json")
    assert (await connection.answers(1))[None]["error"]["code"] == -32700


async def test_a_client_that_has_gone_ends_it(connection: Connection) -> None:
    async with serving(connection) as task:
        connection.close(connection.output)
        connection.call(1, "large")
        await asyncio.wait_for(task, WAIT_SECONDS)


async def test_a_client_that_does_not_read_ends_it_too(connection: Connection) -> None:
    async with serving(connection):
        connection.call(1, "large")
        await asyncio.to_thread(select.select, [connection.output], [], [], WAIT_SECONDS)


async def test_pipes_that_do_not_block_are_waited_for(connection: Connection) -> None:
    for descriptor in connection.streams:
        os.set_blocking(descriptor, False)
    async with serving(connection):
        await asyncio.sleep(0.05)
        connection.call(1, "large")
        await asyncio.sleep(0.05)
        assert list(await connection.answers(1)) == [1]


class Idle:
    """A server that takes no message until the client has gone."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()

    def create_initialization_options(self) -> None: ...

    async def run(self, received: Any, outgoing: Any, _: None) -> None:
        await self.goes_on.wait()
        async with received, outgoing:
            async for _message in received:
                pass


async def test_no_more_is_read_than_is_taken(connection: Connection) -> None:
    server = Idle()
    os.set_blocking(connection.input, False)
    async with serving(connection, server):
        taken = 0
        line = json.dumps({"jsonrpc": "2.0", "method": "told", "params": {"text": "x" * 4000}}).encode() + b"\n"
        for _ in range(100):
            with suppress(BlockingIOError):
                while taken < 100 * PIPE_BYTES:
                    taken += os.write(connection.input, line)
            await asyncio.sleep(0.002)
        assert taken <= PIPE_BYTES + READ_BYTES
        server.goes_on.set()


def test_an_answer_to_nobody_has_no_id() -> None:
    line = encoded(JSONRPCError.model_validate({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": LONE}}))
    assert json.loads(line)["id"] is None
