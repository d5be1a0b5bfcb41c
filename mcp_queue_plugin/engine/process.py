"""The engine's process as its server sees it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import IO

from mcp_queue_plugin.errors import EngineStartFailed
from mcp_queue_plugin.workers import orphans

END_TIMEOUT_SECONDS = 5.0
STDERR_TAIL_BYTES = 8192


class EngineProcess:
    """The warden and, below it, the engine; and the socket to the engine.

    Both are new interpreters (never forks), in a session of their own: Ctrl-C does not reach them. Their standard error
    goes to an unnamed file, so that a failure can be shown with its traceback.
    """

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket, stderr: IO[bytes]) -> None:
        """Keep what ``spawn`` made."""
        self._process = process
        self.socket = sock
        self._stderr = stderr

    @classmethod
    def spawn(cls, withheld_variables: Sequence[str] = ()) -> EngineProcess:
        """Start the process without the ``withheld_variables`` of our environment; it waits for its first request.

        Raises:
            EngineStartFailed: it could not be started.
        """
        try:
            with ExitStack() as opened:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                opened.enter_context(ours)
                stderr = opened.enter_context(tempfile.TemporaryFile(prefix="mcp-queue-engine-"))
                with theirs:
                    process = _start(theirs.fileno(), stderr, _environment(withheld_variables))
                opened.pop_all()
                return cls(process, ours, stderr)
        except (OSError, MemoryError) as error:
            raise EngineStartFailed(f"the queue's engine did not start: {type(error).__name__}: {error}") from error

    @property
    def pid(self) -> int:
        """The warden's process id; it ends as the engine has ended, and after it."""
        return self._process.pid

    def describe_end(self) -> str:
        """In words: how the process ended, or that it has not, and the end of its standard error."""
        try:
            code = self._process.wait(timeout=0.5)
            ended = f"Its warden {self.pid} ended with {'signal' if code < 0 else 'exit code'} {abs(code)}, as it did."
        except subprocess.TimeoutExpired:
            ended = f"Its warden {self.pid} is still there."
        tail = self._stderr_tail()
        return f"{ended} Its standard error:\n{tail}" if tail else ended

    def bury(self) -> str:
        """Wait for the end of a process that is lost, and of all below it; answers how it ended. Can be repeated."""
        self.socket.close()
        description = self.describe_end()
        self.end()
        return description

    def end(self) -> None:
        """Wait for the process to end, killing it with all its descendants if it does not, and forget it."""
        try:
            self._process.wait(timeout=END_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            orphans.kill_tree(self.pid)
            self._process.wait()
        self._stderr.close()

    def _stderr_tail(self) -> str:
        if self._stderr.closed:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - STDERR_TAIL_BYTES))
        return self._stderr.read().decode("utf-8", "replace").strip()


def _environment(withheld: Sequence[str]) -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not any(fnmatchcase(name, pattern) for pattern in withheld)
    }


def _start(border_fd: int, stderr: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mcp_queue_plugin.engine.warden", str(border_fd), str(os.getpid())],
        pass_fds=(border_fd,),
        stdin=subprocess.DEVNULL,
        stdout=stderr,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )
