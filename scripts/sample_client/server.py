"""The sample server as a child process that never outlives its starter."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.sample_client.interrupts import Interrupted

HOST = "127.0.0.1"
POLL_SECONDS = 0.1
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 40.0
"""Above the configuration's ``shutdown_timeout``, which the server gives its running jobs."""
OUTPUT_PATH = Path("var", "log", "sample-server.out")
OUTPUT_TAIL_LINES = 25

PR_SET_PDEATHSIG = 1


class ServerFailed(Exception):
    """The server did not start, or ended on its own; the message ends with what it said last."""


class SampleServer:
    """The running process of ``mcp-queue serve``."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def exit_code(self) -> int | None:
        """The code it ended with, the negative number of the signal that killed it, or None while it runs."""
        return self._process.poll()

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Come back as soon as ``is_ready`` says so.

        Raises:
            ServerFailed: the server ended first, or took longer than ``START_TIMEOUT_SECONDS``.

        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not is_ready():
            self.require_alive()
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server is not ready after {START_TIMEOUT_SECONDS:.0f} s{self._last_words()}")
            time.sleep(POLL_SECONDS)

    def wait_for_end(self) -> None:
        """Wait as long as the server runs.

        Raises:
            ServerFailed: it ended.

        """
        self._process.wait()
        self.require_alive()

    def require_alive(self) -> None:
        """Do nothing as long as the server runs.

        Raises:
            ServerFailed: it has ended.

        """
        if self.exit_code is not None:
            raise ServerFailed(f"the server ended with exit code {self.exit_code}{self._last_words()}")

    def stop(self) -> None:
        """End it with SIGTERM, or with SIGKILL if that takes too long.

        A signal that arrives meanwhile means that somebody will not wait any longer.
        """
        try:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except (Interrupted, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        lines = self._output.read_text("utf-8", "replace").splitlines()[-OUTPUT_TAIL_LINES:]
        return "; its last output:\n" + "\n".join(lines) if lines else ""


@contextmanager
def running_server(root: Path, port: int) -> Iterator[SampleServer]:
    """Serve the application in ``root`` on ``port`` of this machine until the block ends.

    Raises:
        ServerFailed: the port is taken, or the program is missing.

    """
    _require_free_port(port)
    output = root / OUTPUT_PATH
    output.parent.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("mcp-queue")
    arguments = ["serve", "--config", "config.json", "--host", HOST, "--port", str(port)]
    with output.open("wb") as stream:
        try:
            process = subprocess.Popen(
                [program, *arguments],
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the client, which then ends the server with care.
                process_group=0,
                preexec_fn=_die_with_parent(),
            )
        except OSError as error:
            raise ServerFailed(f"{program} cannot be run: {error.strerror}") from error
    server = SampleServer(process, output)
    try:
        yield server
    finally:
        server.stop()


def _require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = f"port {port} of {HOST} cannot be used: {error.strerror}"
            raise ServerFailed(f"{reason}; choose another one with --port") from error


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does first so that the kernel ends it with its parent, even if that is killed."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
