"""One end of a stream socket on an event loop: of many frames, those of one turn go out in one system call."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.workers.protocol import Frame, FrameReader

READ_BYTES = 256 * 1024

QUIET_SECONDS = 0.001
"""After so long without any a frame waits for no others: the other end has nothing else to do."""


class Channel:
    """Frames over a non-blocking socket, on one loop."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        on_frames: Callable[[list[Frame]], None],
        on_closed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Call ``on_frames`` with what each read completes, and ``on_closed`` once when the other end is gone.

        ``clock`` tells the time in seconds: that of a loop may know nothing finer than milliseconds.
        """
        sock.setblocking(False)
        self._socket = sock
        self._on_frames = on_frames
        self._on_closed = on_closed
        self._clock = clock
        self._reader = FrameReader()
        self._received = memoryview(bytearray(READ_BYTES))
        self._outgoing: list[bytes] = []
        self._unsent = memoryview(b"")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush_scheduled = False
        self._sent_at = -math.inf
        self._writing = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read and write on ``loop`` from now on."""
        self._loop = loop
        loop.add_reader(self._socket, self._read)
        self._flush_scheduled = False
        if self._outgoing or self._unsent:
            self._schedule_flush()

    def detach(self) -> None:
        """Leave the loop; the socket stays open."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._loop = None

    def close(self) -> None:
        """Leave the loop and close the socket."""
        self.detach()
        self._socket.close()

    def send(self, frame: bytes) -> None:
        """Send ``frame``: at once after a quiet time, or else with the others of this turn of the loop."""
        self._outgoing.append(frame)
        if self._loop is None or self._flush_scheduled:
            return
        if self._clock() - self._sent_at > QUIET_SECONDS:
            self.flush()
        else:
            self._schedule_flush()

    def flush(self) -> None:
        """Send now what waits, as far as the socket takes it."""
        self._flush_scheduled = False
        if self._loop is None:
            return
        try:
            while self._unsent or self._outgoing:
                if not self._unsent:
                    self._unsent = memoryview(b"".join(self._outgoing))
                    self._outgoing.clear()
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                self._sent_at = self._clock()
        except BlockingIOError:
            self._writing = True
            self._loop.add_writer(self._socket, self.flush)
        except OSError:
            # The other end is gone; the reader learns it and tells.
            self._unsent = memoryview(b"")
            self._outgoing.clear()
        else:
            if self._writing:
                self._writing = False
                self._loop.remove_writer(self._socket)

    def _schedule_flush(self) -> None:
        assert self._loop is not None
        self._flush_scheduled = True
        self._loop.call_soon(self.flush)

    def _read(self) -> None:
        try:
            size = self._socket.recv_into(self._received)
            frames = list(self._reader.feed(self._received[:size]))
        except BlockingIOError:
            return
        except (OSError, ProtocolViolation):
            size, frames = 0, []
        if frames:
            self._on_frames(frames)
        if not size:
            self.detach()
            self._on_closed()
