"""MCP over standard input and output, for clients that start their servers themselves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Any, TextIO, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

READ_BYTES = 65_536


@contextmanager
def protocol_output() -> Iterator[TextIO]:
    """What was standard output, for the protocol alone: within the block all else that is written goes to stderr.

    It must be entered before anything is imported that might print, or keep ``sys.stdout``.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n") as wire:
        sys.stdout.flush()
        os.dup2(2, 1)
        yield wire


async def serve_stdio(
    server: Server[Any], wire: TextIO, running: AbstractAsyncContextManager[object], line_max_bytes: int
) -> None:
    """Serve one client within ``running``, until it closes its end, or SIGTERM or SIGINT."""
    ended = asyncio.Event()
    with _signals(ended.set):
        async with running:
            serving = asyncio.ensure_future(_serve(server, wire, line_max_bytes))
            waiting = asyncio.ensure_future(ended.wait())
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not serving.done():
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def _serve(server: Server[Any], wire: TextIO, line_max_bytes: int) -> None:
    # Of what a file can do the SDK uses of its input that it can be iterated.
    lines = cast("anyio.AsyncFile[str]", _Lines(line_max_bytes))
    async with stdio_server(stdin=lines, stdout=anyio.wrap_file(wire)) as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())


@contextmanager
def _signals(callback: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _Lines:
    """The lines of standard input, whatever it is.

    A thread reads them that nobody has to wait for: a read of a terminal cannot be cancelled.
    """

    def __init__(self, line_max_bytes: int) -> None:
        self._reader = asyncio.StreamReader(limit=line_max_bytes)
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            try:
                line = await self._reader.readline()
            except ValueError:
                # Longer than it may be: what is no message is answered as such.
                line = b"\n"
            if not line:
                return
            yield line.decode("utf-8", "replace")

    def _read(self) -> None:
        # Not through sys.stdin: its lock, held by a thread that still reads, would break the end of the process.
        with suppress(RuntimeError, OSError):
            while data := os.read(0, READ_BYTES):
                self._loop.call_soon_threadsafe(self._reader.feed_data, data)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._reader.feed_eof)
