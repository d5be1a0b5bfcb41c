"""A host without file descriptors or memory for processes: the engine lives on, says so, and recovers by itself."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import psutil

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import Faults, is_degraded, is_well
from tests.acceptance.harness.waiting import Gate, until

RECOVERY_SECONDS = 40.0
"""The wait between two starts of workers doubles up to half a minute."""


STANDARD_STREAMS = 3
"""A limit that leaves all descriptors as they are, and allows no further one."""


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


def test_jobs_are_taken_and_stopped_while_no_worker_can_start(
    start: StartServer, tmp_path: Path, faults: Faults
) -> None:
    server = start(write_configuration(tmp_path), faults.environment)
    engine = server.engine_pid
    scarcities: dict[str, AbstractContextManager[None]] = {
        "Too many open files": limited(engine, resource.RLIMIT_NOFILE, STANDARD_STREAMS),
        "Cannot allocate memory": faults.during("no_memory_to_fork"),
    }
    for words, scarcity in scarcities.items():
        gate = Gate(tmp_path / words)
        running = server.submit("block")
        server.running(running)
        with scarcity:
            waiting = [server.submit("hold", gate=str(gate)) for _ in range(2)]
            assert server.stop(running, grace_seconds=0)["status"] == "stopped"
            for worker in server.worker_pids():
                os.kill(worker, signal.SIGKILL)
            until(lambda: not server.worker_pids(), "no worker is left")
            until(partial(is_degraded, server, words), "health says what is scarce")
            assert {server.status(job_id)["status"] for job_id in waiting} == {"pending"}
        until(lambda: is_well(server), "health is healthy again", RECOVERY_SECONDS)
        gate.open()
        for job_id in waiting:
            server.completed(job_id)
    assert server.engine_pid == engine
    assert "Traceback" not in server.log_text()
