"""One server, one of whose processes dies at a crash point, and what comes after."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import httpx

from mcp_queue_plugin.crash_points import ARMED_BY, CrashPoint
from tests.acceptance.harness.client import Record
from tests.acceptance.harness.configuration import APP, write_configuration
from tests.acceptance.harness.server import GONE_SECONDS, START_SECONDS, Server
from tests.acceptance.harness.waiting import until
from tests.chaos.harness.book import read_book

RETENTION_SECONDS = 1
CAP_SECONDS = 0.5


class Scene:
    """A server on a store of its own. ``arm`` before its start says where a process of it dies."""

    def __init__(self, folder: Path, *, sweeps: bool = False, hands_over: bool = False) -> None:
        self.folder = folder
        self._book = folder / "book"
        self._fuse = folder / "fuse"
        settings: dict[str, float] = {}
        if sweeps:
            settings["completed_job_retention_seconds"] = RETENTION_SECONDS
        if hands_over:
            settings["command_timeout"] = CAP_SECONDS
        self._config = write_configuration(
            folder,
            queue_manager={"max_concurrent_jobs": 1, **settings},
            queue_plugin={
                "auto_import_modules": [f"{APP}.signing", f"{APP}.asking", f"{APP}.commands"],
                "workers": {"min": 1},
            },
        )
        self._environment: dict[str, str] = {}
        self._victim = ""
        self.server: Server

    def arm(self, point: CrashPoint, *, passes: int = 1, victim: str | None = None) -> None:
        """Let a process of the next server die when ``point`` is reached for the ``passes``-th time.

        It is the one that reaches it, or else the ``victim``: the server or the warden.
        """
        self._fuse.touch()
        self._victim = victim or point.split(":")[0]
        self._environment = {ARMED_BY: f"{point}:{passes}:{self._fuse}"}

    def open(self) -> None:
        """Start the server and wait until it serves."""
        self.server = Server(self._config, environment=self._environment)
        self.server.wait_until_ready()
        if self._fuse.exists() and self._victim in ("server", "warden"):
            self._fuse.write_text(str(self.server.pid if self._victim == "server" else self.server.warden_pid))
        until(self._is_well, "a worker is ready", START_SECONDS)

    def add(
        self, job_id: str, command: str = "sign", *, start: bool = True, delay_seconds: float = 0, **params: Any
    ) -> None:
        self.server.data("queue_add_job", **self.submission(job_id, command, start, delay_seconds, **params))

    def submission(
        self, job_id: str, command: str = "sign", start: bool = True, delay_seconds: float = 0, **params: Any
    ) -> dict[str, Any]:
        """The parameters of ``queue_add_job`` for a job that signs the book."""
        call = {"command": command, "params": {"book": str(self._book), **params}}
        return {
            "job_type": "command_execution",
            "job_id": job_id,
            "params": call,
            "start": start,
            "delay_seconds": delay_seconds,
        }

    def hand_over(self, gate: Path) -> str:
        """Call a command that takes longer than the server waits, and ends when ``gate`` exists; its job's id."""
        return str(self.server.call("hold_in_server", gate=str(gate))["job_id"])

    def lose(self, method: str, **params: Any) -> None:
        """Ask for something whose answer never comes; a warden that dies may leave its engine the time to give it."""
        try:
            reply = self.server.rpc(method, params)
        except httpx.TransportError:
            return
        error = reply.get("error") or reply["result"].get("error")
        if error is None:
            assert self._victim == "warden", reply
        else:
            assert error["data"]["domain_code"] == "ENGINE_UNAVAILABLE", error

    def recover(self) -> None:
        """Wait for the crash, see that nothing of the dead is left, and bring back what does not come by itself."""
        until(lambda: not self._fuse.exists(), "the crash")
        if self._victim == "server":
            assert self.server.process.wait(GONE_SECONDS) == -signal.SIGKILL
            self.kill()
            self.open()
        assert self.server.process.poll() is None, self.server.log_text()
        until(self._is_well, "a worker is ready", START_SECONDS)

    def open_in_vain(self) -> None:
        """Start the server, and see it end because its engine dies while it starts; nothing of it is left."""
        self.server = Server(self._config, environment=self._environment)
        assert self.server.exit_code() == 1, self.server.log_text()
        assert not self._fuse.exists()
        self.server.dispose()

    def kill(self) -> None:
        """Kill the server, and see everything that it has started go with it."""
        self.server.kill()
        self.server.close()

    def close(self) -> None:
        """End it orderly; nothing of it may be left."""
        self.server.dispose()

    def ended(self, job_id: str) -> tuple[str, int]:
        """How a job has ended, and in which attempt."""
        record = self.server.ended(job_id)
        return record["status"], record["attempt"]

    def status(self, job_id: str) -> Record:
        return self.server.status(job_id)

    def runs(self, job_id: str) -> list[int]:
        """The attempts in which a job has begun, in their order."""
        return [run.attempt for run in read_book(self._book) if run.job_id == job_id]

    def result_is_of_its_attempt(self, job_id: str) -> bool:
        """Whether a completed job shows the result of a run of the attempt that its record names."""
        record = self.server.ended(job_id)
        run = record["result"]["result"]["data"]["run"]
        return (record["attempt"], run) in {(run.attempt, run.name) for run in read_book(self._book)}

    def wait_for_question(self, job_id: str) -> None:
        """Wait until a job waits for an answer."""
        self.server.wait(job_id, lambda record: record["phase"] == "input_required")

    def answer_of(self, job_id: str) -> Any:
        """The answer that a completed job has got."""
        return self.server.completed(job_id)["answer"]

    def is_gone(self, job_id: str) -> bool:
        """Whether nobody knows this job any more."""
        reply = self.server.rpc("queue_get_job_status", {"job_id": job_id})
        error = reply.get("error") or reply["result"].get("error") or {}
        return (error.get("data") or {}).get("domain_code") == "JOB_NOT_FOUND"

    def _is_well(self) -> bool:
        reply = self.server.rpc("queue_health", {})
        health = {} if "error" in reply else reply["result"].get("data", {})
        return health.get("status") == "healthy" and bool(health["workers"]["pids"])
