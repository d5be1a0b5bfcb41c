"""A client of JSON-RPC that costs as little as can be: it shares two cores with the server that it measures."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

import msgspec

HOST = "127.0.0.1"
LINE_BYTES_MAX = 64 * 1024


class RpcError(Exception):
    """The server refused a call."""


class Client:
    """So many connections that stay open; a call takes one that is free, or waits for it.

    Raises:
        RpcError: the server answered with an error.
    """

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._connections = connections
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Client:
        for _ in range(self._connections):
            self._free.put_nowait(await self._connected())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for writer in self._writers:
            writer.close()

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call a method; its result."""
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        connection = await self._free.get()
        try:
            answered, closes = await exchange(*connection, request("/api/jsonrpc", body))
            if closes:
                connection = await self._connected()
        finally:
            self._free.put_nowait(connection)
        answer = msgspec.json.decode(answered)
        if "error" in answer or not answer["result"].get("success", True):
            raise RpcError(f"{method}: {answer}")
        result: dict[str, Any] = answer["result"]
        return result

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=LINE_BYTES_MAX)
        self._writers.append(writer)
        return reader, writer


def request(path: str, body: bytes, *headers: str) -> bytes:
    """A whole POST request. Pure."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> tuple[bytes, bool]:
    """The body of the answer, and whether the server closes the connection behind it, as it does from time to time.

    Raises:
        RpcError: it does not say how long it is.
        asyncio.IncompleteReadError: the server has closed the connection instead.
    """
    writer.write(sent)
    headers = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    lengths = [int(line.split(b":")[1]) for line in headers if line.startswith(b"content-length:")]
    if not lengths:
        raise RpcError(f"an answer without a length: {headers}")
    return await reader.readexactly(lengths[0]), b"connection: close" in headers
