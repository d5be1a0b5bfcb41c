"""A server that a page starts: up before the next block runs, and gone without a trace at the end of the page."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 40.0
POLL_SECONDS = 0.1


class PageServer:
    """The process of one ``bash server`` block."""

    def __init__(self, command: str, folder: Path, environ: Mapping[str, str], port: int) -> None:
        """Start ``command`` in ``folder`` and wait until it answers at ``port``."""
        self._output = folder.with_name(f"{folder.name}-server-output")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_healthy(port)
        except AssertionError:
            self._process.kill()
            self._process.wait()
            raise

    def stop(self) -> None:
        """End it with SIGTERM; it must exit with 0 and leave no process behind."""
        below = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGTERM)
        try:
            exit_code = self._process.wait(STOP_TIMEOUT_SECONDS)
        finally:
            self._process.kill()
        assert exit_code == 0, f"the server ended with {exit_code}:\n{self._output.read_text()}"
        _, alive = psutil.wait_procs(below, timeout=5)
        assert alive == []

    def _wait_until_healthy(self, port: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not _is_healthy(port):
            assert self._process.poll() is None, f"the server has ended:\n{self._output.read_text()}"
            assert time.monotonic() < deadline, f"the server does not answer:\n{self._output.read_text()}"
            time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
