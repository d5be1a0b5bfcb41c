"""What a worker writes to its standard output and error: read by fd, stamped at reading."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from typing import Literal

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.queries import Stream

READ_BYTES = 65_536
PIPE_BYTES = 262_144
"""The capacity asked of the kernel: a chatty job then blocks less often. It may grant less."""

DRAIN_MAX_BYTES = 1_048_576
"""The most a drain reads of a stream: more than a pipe holds, so that only a writer in the background can exceed it."""

TAIL_BYTES = 8_192

HoldReason = Literal["backlog", "hurry"]
"""Why what a worker writes is left unread: the store is behind with it, or it is not certain yet whose it is."""


class Capture:
    """The read ends of a worker's two pipes, watched on the running loop; owns them.

    Nothing waits for their end of file: a process that a job left behind may hold the other ends for ever.
    """

    def __init__(self, stdout: FileIO, stderr: FileIO, *, clock: Clock, on_chunk: Callable[[LogChunk], None]) -> None:
        """Hand every chunk that is read to ``on_chunk``, at most 64 KiB of a stream per turn of the loop."""
        self._clock = clock
        self._reasons: set[HoldReason] = set()
        self._error_tail = _Tail(on_chunk)
        self._streams = (
            _PipeReader("stdout", stdout, clock, on_chunk),
            _PipeReader("stderr", stderr, clock, self._error_tail),
        )

    @property
    def error_tail(self) -> str:
        """The last lines of the standard error since ``begin_error_tail``, 8 KiB at most."""
        return self._error_tail.text

    def begin_error_tail(self) -> None:
        """Forget the lines so far: they are another job's."""
        self._error_tail.clear()

    def add_line(self, text: str) -> None:
        """Put a line of ours into the standard error, behind all that is in the pipes now."""
        self.drain()
        self._error_tail(LogChunk("stderr", self._clock(), f"{text}\n".encode()))

    def drain(self) -> None:
        """Read what is in both pipes now."""
        for stream in self._streams:
            stream.drain()

    def hold(self, reason: HoldReason, held: bool) -> None:
        """Leave what is written in the pipes, so that its writer waits once they are full; or, with False, go on.

        While there is one reason it is left there.
        """
        before = bool(self._reasons)
        if held:
            self._reasons.add(reason)
        else:
            self._reasons.discard(reason)
        if bool(self._reasons) is not before:
            for stream in self._streams:
                stream.hold(held)

    def close(self) -> None:
        """Stop watching and close both pipes."""
        for stream in self._streams:
            stream.close()


class _Tail:
    """Passes chunks on and remembers the end of them."""

    def __init__(self, on_chunk: Callable[[LogChunk], None]) -> None:
        self._on_chunk = on_chunk
        self._bytes = b""

    def __call__(self, chunk: LogChunk) -> None:
        self._bytes = (self._bytes + chunk.data)[-TAIL_BYTES:]
        self._on_chunk(chunk)

    def clear(self) -> None:
        self._bytes = b""

    @property
    def text(self) -> str:
        return self._bytes.decode(errors="replace").strip()


class _PipeReader:
    def __init__(self, stream: Stream, pipe: FileIO, clock: Clock, on_chunk: Callable[[LogChunk], None]) -> None:
        self._stream = stream
        self._pipe = pipe
        self._clock = clock
        self._on_chunk = on_chunk
        self._open = True
        descriptor = pipe.fileno()
        os.set_blocking(descriptor, False)
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._loop = asyncio.get_running_loop()
        self.hold(False)

    def drain(self) -> None:
        read = 0
        while read < DRAIN_MAX_BYTES and (count := self._read()):
            read += count

    def hold(self, held: bool) -> None:
        if held:
            self._loop.remove_reader(self._pipe.fileno())
        elif self._open:
            self._loop.add_reader(self._pipe.fileno(), self._read)

    def close(self) -> None:
        self._stop()
        self._pipe.close()

    def _read(self) -> int:
        if not self._open:
            return 0
        data = self._pipe.read(READ_BYTES)
        if data:
            self._on_chunk(LogChunk(self._stream, self._clock(), data))
            return len(data)
        if data == b"":
            self._stop()
        return 0

    def _stop(self) -> None:
        self._open = False
        self._loop.remove_reader(self._pipe.fileno())
