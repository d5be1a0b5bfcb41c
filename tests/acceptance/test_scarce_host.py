"""A host without file descriptors or memory for processes: the engine lives on, says so, and recovers by itself."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

RECOVERY_SECONDS = 40.0
"""The wait between two starts of workers doubles up to half a minute."""


@contextmanager
def limited(pid: int, kind: int, soft: int) -> Iterator[None]:
    """Give a living process a lower limit."""
    process = psutil.Process(pid)
    before = process.rlimit(kind)
    process.rlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        process.rlimit(kind, before)


def is_degraded(server: Server, words: str) -> bool:
    """Whether health says ``words``, in both its places."""
    return server.health()["status"] == "degraded" and words in str(server.get("/health"))


def is_well(server: Server) -> bool:
    return bool(server.health()["status"] == "healthy" and server.get("/health")["status"] != "degraded")


def runs_on_without_new_workers(server: Server, gate: Gate, words: str, running: str) -> list[str]:
    """Jobs are taken and the running one ends, but no worker starts; the jobs that wait then."""
    waiting = [server.submit("hold", gate=str(gate)) for _ in range(2)]
    until(lambda: is_degraded(server, words), "health says what is scarce")
    assert server.stop(running, grace_seconds=0)["status"] == "stopped"
    (worker,) = server.worker_pids() or [None]
    if worker is not None:
        os.kill(worker, signal.SIGKILL)
    until(lambda: not server.worker_pids(), "no worker is left")
    assert {server.status(job_id)["status"] for job_id in waiting} <= {"pending", "running"}
    assert is_degraded(server, words)
    return waiting


def test_no_descriptor_is_free(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    server = start(write_configuration(tmp_path))
    engine = server.engine_pid
    running = server.submit("block")
    server.running(running)
    open_now = len(os.listdir(f"/proc/{engine}/fd"))
    with limited(engine, resource.RLIMIT_NOFILE, open_now):
        waiting = runs_on_without_new_workers(server, gate, "Too many open files", running)
    until(lambda: is_well(server), "health is healthy again", RECOVERY_SECONDS)
    gate.open()
    for job_id in waiting:
        server.completed(job_id)
    assert server.engine_pid == engine
