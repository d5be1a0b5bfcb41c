"""Frames over a non-blocking socket on an event loop: callbacks, no task, no transport."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.workers.protocol import Frame, FrameReader

READ_BYTES = 65_536


class Connection:
    """Our end of a stream socket. Writes are sent at once where possible and buffered where not."""

    def __init__(
        self,
        endpoint: socket.socket,
        *,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[ProtocolViolation | None], None],
    ) -> None:
        """Watch ``endpoint`` on the running loop and own it from now on.

        ``on_frame`` gets every frame and may raise ProtocolViolation. ``on_lost`` is called once, when nothing can be
        read any more: with that violation or the reader's own, or with None when the other end has closed.
        """
        endpoint.setblocking(False)
        self._socket = endpoint
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._reader = FrameReader()
        self._unsent = bytearray()
        self._readable = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(endpoint, self._read)

    def send(self, data: bytes) -> None:
        """Send ``data`` in full, now or as soon as the other end reads; dropped if the other end has closed."""
        if self._unsent:
            self._unsent += data
            return
        sent = self._try_send(data)
        if sent < len(data):
            self._unsent += data[sent:]
            self._loop.add_writer(self._socket, self._write)

    def drain(self) -> None:
        """Read all that has arrived by now."""
        while self._readable and self._read():
            pass

    def close(self) -> None:
        """Stop watching and close the socket."""
        self._stop_reading()
        self._loop.remove_writer(self._socket)
        self._socket.close()

    def _read(self) -> bool:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._lose(None)
            return False
        try:
            for frame in self._reader.feed(data):
                self._on_frame(frame)
        except ProtocolViolation as error:
            self._lose(error)
        return True

    def _lose(self, violation: ProtocolViolation | None) -> None:
        self._stop_reading()
        self._on_lost(violation)

    def _stop_reading(self) -> None:
        self._readable = False
        self._loop.remove_reader(self._socket)

    def _try_send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            # The other end has closed, or we have.
            return len(data)

    def _write(self) -> None:
        del self._unsent[: self._try_send(self._unsent)]
        if not self._unsent:
            self._loop.remove_writer(self._socket)
