"""A worker's process as the kernel gives it to us: a socket, two pipes, and a descriptor that tells of its death."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.workers import host, orphans
from mcp_queue_plugin.workers.capture import Capture, HoldReason
from mcp_queue_plugin.workers.connection import Connection
from mcp_queue_plugin.workers.inbox import PACKET_MAX_BYTES
from mcp_queue_plugin.workers.protocol import Frame, Kind, RunApart, encode
from mcp_queue_plugin.workers.spawn import spawn


class ProcessHandle:
    """One process, from its start to the last byte it left. Its death is known by its pidfd, never by end of file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        clock: Clock,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[ProtocolViolation | None], None],
        on_chunk: Callable[[LogChunk], None],
        on_death: Callable[[int], None],
    ) -> None:
        """Start ``command``, with the numbers of its two sockets as last arguments, and watch it on the running loop.

        ``on_frame`` and ``on_lost`` are called as ``Connection`` says, and ``on_chunk`` for all that it writes. When it
        is dead and all it left is told, ``on_death`` gets its return code, as subprocess gives it.

        Raises:
            WorkerStartFailed: the process could not be started.

        """
        self.dead = False
        """Whether its death is known; what it sent before is still told then."""
        self._on_death = on_death
        self._memory: int | None = None
        self._process, self._pidfd, control, self._inbox, stdout, stderr = spawn(command)
        self._connection = Connection(control, on_frame=on_frame, on_lost=on_lost)
        self._capture = Capture(stdout, stderr, clock=clock, on_chunk=on_chunk)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pidfd, self._die)

    @property
    def pid(self) -> int:
        """The process id, and that of its group and session."""
        return self._process.pid

    @property
    def error_tail(self) -> str:
        """The last lines of its standard error since ``begin_error_tail``, 8 KiB at most."""
        return self._capture.error_tail

    def begin_error_tail(self) -> None:
        """Forget the lines so far: what follows is another job's."""
        self._capture.begin_error_tail()

    @property
    def rss_bytes(self) -> int:
        """Its resident memory; it must not be dead."""
        if self._memory is None:
            try:
                self._memory = host.open_memory(self.pid)
            except OSError:
                # No descriptor is free now: the next look may get one.
                return 0
        return host.rss_bytes(self._memory)

    def send(self, frame: bytes) -> None:
        """Send it an encoded frame; dropped if it does not listen any more."""
        self._connection.send(frame)

    def put(self, frame: bytes) -> None:
        """Put an encoded frame into its inbox."""
        self._inbox.put(frame)

    def put_run(self, token: Token, frame: bytes) -> bytes:
        """Put the RUN of an attempt into its inbox, or what stands for it if it is too large; answers which it was."""
        if len(frame) > PACKET_MAX_BYTES:
            self._connection.send(frame)
            frame = encode(Kind.RUN_APART, RunApart(token))
        self._inbox.put(frame)
        return frame

    def take_back(self) -> list[bytes]:
        """Take all frames out of its inbox again that it has not taken, and answer them in their order."""
        return self._inbox.take_back()

    def receive(self) -> None:
        """Tell all frames that it has sent by now."""
        self._connection.drain()

    def drain_log(self) -> None:
        """Tell all that it has written by now."""
        self._capture.drain()

    def hold_log(self, reason: HoldReason, held: bool) -> None:
        """Leave what it writes unread, so that it has to wait; or, with False and without another reason, read on."""
        self._capture.hold(reason, held)

    def add_to_log(self, line: str) -> None:
        """Tell ``line`` as if it had written that to its standard error now."""
        self._capture.add_line(line)

    def terminate(self) -> None:
        """Send SIGTERM to the process alone."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with everything it has started."""
        orphans.kill_tree(self.pid)

    def _die(self) -> None:
        self.dead = True
        # Its group goes before it is reaped: until then the number is certainly its own.
        orphans.kill_group(self.pid)
        self._connection.drain()
        self._capture.drain()
        returncode = self._process.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._memory is not None:
            os.close(self._memory)
        self._connection.close()
        self._capture.close()
        self._on_death(returncode)
        self._inbox.close()
