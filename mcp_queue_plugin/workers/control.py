"""The worker's own ends of its inbox and its control socket. No thread reads them: whoever wants to know looks."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.workers.inbox import PACKET_MAX_BYTES
from mcp_queue_plugin.workers.protocol import Answered, Frame, FrameReader, Kind, Run, RunApart, Stop, decode

if TYPE_CHECKING:
    import asyncio

    from mcp_queue_plugin.workers.asking import Asking

READ_BYTES = 65_536
_CREDENTIALS = struct.Struct("3i")


class Control:
    """Frames from and to the engine. ``send`` and ``stop_requested`` may be called from any thread."""

    def __init__(self, endpoint: socket.socket, inbox: socket.socket) -> None:
        """Own both sockets, which stay in blocking mode. A process that a job forks off does not share them."""
        endpoint.set_inheritable(False)
        inbox.set_inheritable(False)
        self._socket = endpoint
        self._inbox = inbox
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._receiving = threading.Lock()
        self._sending = threading.Lock()
        self._stop: Stop | None = None
        self._may_proceed = False
        self.closed = False
        """The engine has gone."""
        self.forked = False
        """This is a process that a job forked off: it must not speak as the worker."""
        self.on_stop: Callable[[], object] = _ignore
        """Called for each STOP, in the thread that finds it."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that watches the socket whenever it runs."""
        self.asking: Asking | None = None
        """Where the attempt's questions wait for answers, once it has asked one."""
        os.register_at_fork(after_in_child=self._abandon)

    @property
    def peer_pid(self) -> int:
        """The process that made the socket."""
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(credentials)[0])

    def fileno(self) -> int:
        """The socket's descriptor, to watch it on a loop."""
        return self._socket.fileno()

    def next_frame(self) -> Frame | None:
        """Wait for the next INIT or RUN over the control socket; None when the engine has gone.

        Raises:
            ProtocolViolation: what came is no frame.

        """
        with self._receiving:
            while not self._frames and not self.closed:
                self._receive(0)
        return self._frames.popleft() if self._frames else None

    def next_task(self) -> Frame | None:
        """Wait for the inbox: a RUN or a RETIRE; None when the engine has gone.

        Raises:
            ProtocolViolation: what came is no frame.

        """
        try:
            packet = self._inbox.recv(PACKET_MAX_BYTES)
        except OSError:
            return None
        frame = next(FrameReader().feed(packet), None)
        if frame is not None and frame.kind == Kind.RUN_APART:
            return self._run_apart(decode(frame.header, RunApart).token)
        return frame

    def wait_to_proceed(self) -> None:
        """Wait for a PROCEED, or until the engine has gone.

        Raises:
            ProtocolViolation: what came is no frame.

        """
        with self._receiving:
            while not self._may_proceed and not self.closed:
                self._receive(0)
        self._may_proceed = False

    def poll(self) -> None:
        """Take in what has arrived, without waiting. Does nothing while another thread is at it."""
        if self._receiving.acquire(blocking=False):
            try:
                self._receive(socket.MSG_DONTWAIT)
            finally:
                self._receiving.release()

    def stop_seen(self, token: Token) -> bool:
        """Whether a stop of this attempt was taken in already."""
        return self._stop is not None and self._stop.token == token

    def timed_out(self, token: Token) -> bool:
        """Whether that stop came because the attempt's time was over."""
        return self._stop is not None and self._stop == Stop(token, timed_out=True)

    def stop_requested(self, token: Token) -> bool:
        """Whether a stop of this attempt has arrived by now, or nobody is left to work for."""
        if not (self.forked or self.closed or self.stop_seen(token)):
            self.poll()
        return self.closed or self.stop_seen(token)

    def send(self, frame: bytes) -> None:
        """Send one encoded frame; in a forked process, nothing.

        Raises:
            OSError: the engine has gone, or the job has closed the socket.

        """
        if not self.forked:
            with self._sending:
                self._socket.sendall(frame)

    def wait_until_closed(self) -> None:
        """Wait until the engine has gone."""
        while self.next_frame():
            pass

    def _run_apart(self, token: Token) -> Frame | None:
        while (frame := self.next_frame()) and not _is_run(frame, token):
            pass
        return frame

    def _receive(self, flags: int) -> None:
        try:
            data = self._socket.recv(READ_BYTES, flags)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            self._tell_of_stop()
        for frame in self._reader.feed(data):
            if frame.kind == Kind.STOP:
                self._stop = decode(frame.header, Stop)
                self._tell_of_stop()
            elif frame.kind == Kind.ANSWER:
                if self.asking is not None:
                    self.asking.on_answer(decode(frame.header, Answered), frame.payload)
            elif frame.kind == Kind.PROCEED:
                self._may_proceed = True
            else:
                self._frames.append(frame)

    def _tell_of_stop(self) -> None:
        self.on_stop()
        if self.asking is not None:
            self.asking.on_stop()

    def _abandon(self) -> None:
        self.forked = True
        self._socket.close()
        self._inbox.close()


def _ignore() -> None:
    pass


def _is_run(frame: Frame, token: Token) -> bool:
    return frame.kind == Kind.RUN and decode(frame.header, Run).token == token
