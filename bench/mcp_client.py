"""Clients of MCP, protocol 2026-07-28, that cost as little as can be: they share two cores with the server."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

import msgspec

from bench.rpc import HOST, LINE_BYTES_MAX, RpcError, exchange, request

PROTOCOL = "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
META = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
}
ACKNOWLEDGED = b"notifications/subscriptions/acknowledged"


def message(method: str, params: dict[str, Any], name: str | None = None) -> bytes:
    """A request as it is sent; ``name`` is the tool or the task that it is about. Pure."""
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}})
    headers = ["Accept: application/json, text/event-stream", f"MCP-Protocol-Version: {PROTOCOL}"]
    named = [f"Mcp-Name: {name}"] if name is not None else []
    return request("/mcp", body, *headers, f"Mcp-Method: {method}", *named)


def tool_call(name: str, arguments: dict[str, Any]) -> bytes:
    """The call of a tool."""
    return message("tools/call", {"name": name, "arguments": arguments}, name)


def task_get(task_id: str) -> bytes:
    """The look at a task."""
    return message("tasks/get", {"taskId": task_id}, task_id)


class McpClient:
    """One client with one connection: opened again when the server has closed it, as it does with idle ones."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> McpClient:
        await self._connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def send(self, sent: bytes) -> dict[str, Any]:
        """Send what ``message`` has made; the result.

        Raises:
            RpcError: the server answered with an error.
        """
        try:
            answered, closes = await exchange(*await self._connected(), sent)
        except (asyncio.IncompleteReadError, ConnectionError):
            # Closed while the request was on its way.
            self.close()
            answered, closes = await exchange(*await self._connected(), sent)
        if closes:
            self.close()
        answer = msgspec.json.decode(answered)
        if "error" in answer:
            raise RpcError(str(answer["error"]))
        result: dict[str, Any] = answer["result"]
        return result

    async def listen(self, notifications: dict[str, Any]) -> None:
        """Open a stream of ``subscriptions/listen`` on this connection; it lasts until ``close``."""
        reader, writer = await self._connected()
        writer.write(message("subscriptions/listen", {"notifications": notifications}))
        await reader.readuntil(ACKNOWLEDGED)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._connection is not None and self._connection[0].at_eof():
            self.close()
        if self._connection is None:
            self._connection = await asyncio.open_connection(HOST, self._port, limit=LINE_BYTES_MAX)
        return self._connection
