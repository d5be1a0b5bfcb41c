"""MCP over standard input and output, for clients that start their servers themselves."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import queue
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)

READ_BYTES = 65_536
LAST_ANSWERS_SECONDS = 2.0
"""How long a client may take, at the end, to read what it was answered."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class ProtocolStreams(NamedTuple):
    """The descriptors that were standard input and output."""

    input: int
    output: int


@contextmanager
def protocol_streams() -> Iterator[ProtocolStreams]:
    """What was standard input and output, for the protocol alone; to be entered once, for the rest of the process.

    From then on standard input is empty for all else, processes that are started included, and what is written to
    standard output goes to stderr. It must be entered before anything is imported that might print.
    """
    null = _fill_standard_range()
    # They are never closed: a thread may wait in them as long as the process lasts.
    streams = ProtocolStreams(*(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3) for number in (0, 1)))
    os.dup2(null, 0)
    os.dup2(2, 1)
    try:
        yield streams
    finally:
        _drop_what_cannot_be_written(null)


def _fill_standard_range() -> int:
    """A descriptor of /dev/null above 2. So are those up to 2 that were closed: no file may come to lie there."""
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)
    return null


def _drop_what_cannot_be_written(null: int) -> None:
    # A client that is gone may have taken stderr with it: the interpreter would fail at its end.
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            # There is none if its descriptor was closed when the process began.
            with suppress(AttributeError, ValueError):
                stream.flush()
        except OSError:
            os.dup2(null, number)


async def serve_stdio(
    server: Server[Any], streams: ProtocolStreams, running: AbstractAsyncContextManager[object], line_max_bytes: int
) -> None:
    """Serve one client within ``running``, until it closes or leaves one of its ends, or SIGTERM or SIGINT."""
    reading = anyio.CancelScope()
    # A signal ends it as the end of the input does: what is being answered is told so.
    with _signals(reading.cancel):
        async with running:
            await _serve(server, streams, line_max_bytes, reading)


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


async def _serve(
    server: Server[Any], streams: ProtocolStreams, line_max_bytes: int, reading: anyio.CancelScope
) -> None:
    # Not with the SDK's own streams: lines that are no messages go unanswered there, one answer that cannot be
    # written ends them all, and a client that does not read would keep the process from ending.
    received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception]()
    outgoing, to_write = anyio.create_memory_object_stream[SessionMessage]()
    reader = _Reader(streams.input, line_max_bytes, received, outgoing.clone())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.read, reading)
        tasks.start_soon(_write, streams.output, to_write, tasks.cancel_scope.cancel)
        await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.deadline = anyio.current_time() + LAST_ANSWERS_SECONDS


class _Reader:
    """Hands on what is read, message by message: nothing is read before the last line has been taken."""

    def __init__(
        self,
        descriptor: int,
        line_max_bytes: int,
        received: MemoryObjectSendStream[SessionMessage | Exception],
        outgoing: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Send messages to ``received``, and to ``outgoing`` what other lines are answered."""
        self._descriptor = descriptor
        self._line_max_bytes = line_max_bytes
        self._received = received
        self._outgoing = outgoing

    async def read(self, reading: anyio.CancelScope) -> None:
        """Read to the end, or until ``reading`` is cancelled; then close the streams."""
        lines = Lines(self._line_max_bytes)
        async with self._received, self._outgoing:
            with reading, _thread("standard input") as thread:
                data: bytes | None = None
                while data != b"":
                    data = await thread.call(partial(_read_some, self._descriptor))
                    # The last line may lack its end.
                    for line in lines.feed(data or b"\n"):
                        await self._take(line)

    async def _take(self, line: bytes | None) -> None:
        if line is None:
            await self._outgoing.send(_refusal(f"the line is longer than {self._line_max_bytes} bytes"))
            return
        if not line.strip():
            # Nobody waits for an answer to it.
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            await self._outgoing.send(_refusal("the line is no JSON-RPC message"))
        else:
            await self._received.send(SessionMessage(message))


def _refusal(reason: str) -> SessionMessage:
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=PARSE_ERROR, message=reason)))


async def _write(
    descriptor: int, to_write: MemoryObjectReceiveStream[SessionMessage], cancel: Callable[[], None]
) -> None:
    """Write what there is to write; ``cancel`` all if nobody reads it any more."""
    with _thread("standard output") as thread:
        async with to_write:
            async for item in to_write:
                try:
                    await thread.call(partial(_write_all, descriptor, encoded(item.message)))
                except OSError as error:
                    logger.info("the client has gone: %s", error)
                    cancel()
                    return


def encoded(message: JSONRPCMessage) -> bytes:
    """The line that is ``message``; an internal error for an answer, and nothing for another, that has no JSON."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except Exception as error:  # noqa: BLE001 - of whatever an application makes its answers
        logger.error("a message cannot be written as JSON: %s", ascii(error))
    if not isinstance(message, JSONRPCResponse | JSONRPCError):
        return b""
    failure = ErrorData(code=INTERNAL_ERROR, message="the answer cannot be written as JSON")
    return encoded(JSONRPCError(jsonrpc="2.0", id=message.id, error=failure))


class Lines:
    """Puts lines together that come in pieces. Of one that is too long nothing is kept."""

    def __init__(self, max_bytes: int) -> None:
        """Take lines of up to ``max_bytes``, their ends not counted."""
        self._max_bytes = max_bytes
        self._begun = bytearray()
        self._skips = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that end in ``data``, without their ends, and None for each that becomes too long in it."""
        found: list[bytes | None] = []
        *ends, begins = data.split(b"\n")
        for end in ends:
            self._add(end, found)
            if not self._skips:
                found.append(bytes(self._begun))
            self._begun.clear()
            self._skips = False
        self._add(begins, found)
        return found

    def _add(self, piece: bytes, found: list[bytes | None]) -> None:
        if self._skips:
            return
        if len(self._begun) + len(piece) <= self._max_bytes:
            self._begun += piece
            return
        found.append(None)
        self._begun.clear()
        self._skips = True


class _Thread:
    """A thread for calls that may never return: neither who waits for one nor the process has to outlast it."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        # A daemon, and none of the event loop's own: the end of the process would wait for those.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` when the calls before have returned; if this is cancelled, it goes on without a caller."""
        future: Future[T] = Future()
        self._calls.put((function, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End when the calls have returned."""
        self._calls.put(None)

    def _run(self) -> None:
        while call := self._calls.get():
            function, future = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except OSError as error:
                future.set_exception(error)


@contextmanager
def _thread(name: str) -> Iterator[_Thread]:
    thread = _Thread(name)
    try:
        yield thread
    finally:
        thread.close()


# Not through files of Python's: the lock of one in which a thread still waits would break the end of the process.


def _read_some(descriptor: int) -> bytes:
    """What is there to be read, at least a byte; none at the end, or if it cannot be read any more."""
    try:
        while True:
            try:
                return os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                # It shares its mode with whoever else has it open.
                _wait(descriptor, select.POLLIN)
    except OSError:
        return b""


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            _wait(descriptor, select.POLLOUT)


def _wait(descriptor: int, event: int) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    poll.poll()
