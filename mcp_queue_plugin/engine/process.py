"""The engine's process as its server sees it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import IO

from mcp_queue_plugin.errors import EngineStartFailed
from mcp_queue_plugin.workers import warden

END_TIMEOUT_SECONDS = 5.0
STDERR_TAIL_BYTES = 8192


class EngineProcess:
    """A child process that runs ``engine/host.py``, and the socket to it.

    It is a new interpreter (never a fork), in a session of its own: Ctrl-C does not reach it. Its standard error goes
    to an unnamed file, so that a failure can be shown with its traceback.
    """

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket, stderr: IO[bytes]) -> None:
        """Keep what ``spawn`` made."""
        self._process = process
        self.socket = sock
        self._stderr = stderr

    @classmethod
    def spawn(cls) -> EngineProcess:
        """Start the process; it then waits for its first request.

        Raises:
            EngineStartFailed: it could not be started.
        """
        with ExitStack() as opened:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.enter_context(ours)
            stderr = opened.enter_context(tempfile.TemporaryFile(prefix="mcp-queue-engine-"))
            with theirs:
                process = _start(theirs.fileno(), stderr)
            opened.pop_all()
            return cls(process, ours, stderr)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def describe_end(self) -> str:
        """In words: how the process ended, or that it has not, and the end of its standard error."""
        try:
            code = self._process.wait(timeout=0.5)
            ended = f"Its process {self.pid} ended with {'signal' if code < 0 else 'exit code'} {abs(code)}."
        except subprocess.TimeoutExpired:
            ended = f"Its process {self.pid} is still there."
        tail = self._stderr_tail()
        return f"{ended} Its standard error:\n{tail}" if tail else ended

    def end(self) -> None:
        """Wait for the process to end, killing it with all its descendants if it does not, and forget it."""
        try:
            self._process.wait(timeout=END_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            warden.kill_tree(self.pid)
            self._process.wait()
        self._stderr.close()

    def _stderr_tail(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_TAIL_BYTES))
        return self._stderr.read().decode("utf-8", "replace").strip()


def _start(border_fd: int, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mcp_queue_plugin.engine.host", str(border_fd)]
    try:
        return subprocess.Popen(
            command,
            pass_fds=(border_fd,),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineStartFailed(f"the queue's engine did not start: {' '.join(command)}: {error}") from error
