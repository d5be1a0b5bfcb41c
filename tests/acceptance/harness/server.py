"""A server under test: ``mcp-queue serve`` in a process of its own, seen and ended from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.acceptance.harness import processes
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.configuration import HOST
from tests.acceptance.harness.waiting import until

ROOT = Path(__file__).parents[3]
MCP_QUEUE = str(Path(sysconfig.get_path("scripts"), "mcp-queue"))
START_SECONDS = 30.0
END_SECONDS = 20.0
GONE_SECONDS = 2.0
LOG_TAIL = 3000


class Server(Client):
    """One run of a server, from its start to the last of its processes.

    It leads a process group of its own, so that Ctrl-C can be sent to it as a terminal would.
    """

    def __init__(
        self, config: Path, arguments: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> None:
        self.config = config
        self._mark = str(uuid.uuid4())
        self._log = config.parent / f"output-{self._mark}.txt"
        self._command = (*(arguments or (MCP_QUEUE, "serve")), "--config", str(config))
        super().__init__(f"http://{HOST}:{json.loads(config.read_text())['server']['port']}")
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=config.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), processes.MARK: self._mark, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Wait until it is up; afterwards nothing of it is left."""
        try:
            self.wait_until_ready()
            yield self
        finally:
            self.dispose()

    def wait_until_ready(self) -> None:
        until(lambda: self.process.poll() is not None or self.is_healthy(), "the server is up", START_SECONDS)
        assert self.process.poll() is None, f"the server has ended:\n{self.log_text()[-LOG_TAIL:]}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def warden_pid(self) -> int:
        (warden,) = psutil.Process(self.pid).children()
        return warden.pid

    @property
    def engine_pid(self) -> int:
        (engine,) = psutil.Process(self.warden_pid).children()
        return engine.pid

    def worker_pids(self) -> list[int]:
        return list(self.health()["workers"]["pids"])

    def processes(self) -> dict[int, str]:
        """Every living process that this server is or has started."""
        return processes.marked_processes(self._mark)

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        until(lambda: text in self.log_text(), f"{text!r} in the log")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends it to the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def exit_code(self) -> int:
        return self.process.wait(END_SECONDS)

    def terminate(self) -> int:
        """End it orderly; its exit code."""
        self.signal(signal.SIGTERM)
        return self.exit_code()

    def kill(self) -> None:
        """End it with SIGKILL, and see everything that it has started go with it."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        until(lambda: not self.processes(), "no process of the killed server is left", GONE_SECONDS)

    def dispose(self) -> None:
        """End it if it still runs; nothing of it may be left."""
        try:
            if self.process.poll() is None:
                assert self.terminate() == 0, self.log_text()[-LOG_TAIL:]
            until(lambda: not self.processes(), "no process of the server is left", GONE_SECONDS)
        finally:
            left = self.processes()
            processes.kill(left)
            self.process.wait()
            self.close()
            assert not left, f"processes left: {left}"
