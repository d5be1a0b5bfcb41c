"""The system's clock is set an hour on, or back, under a running server and between two of its runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import Faults
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

HOUR_SECONDS = 3600.0
DELAY_SECONDS = 1.0


def schedule(server: Server, job_id: str, delay_seconds: float) -> None:
    params: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 1}}
    added = server.data(
        "queue_add_job",
        job_type="command_execution",
        job_id=job_id,
        params=params,
        start=True,
        delay_seconds=delay_seconds,
    )
    assert added["phase"] == "scheduled"


@pytest.mark.parametrize("shift_seconds", [HOUR_SECONDS, -HOUR_SECONDS])
def test_jobs_that_run_and_jobs_that_wait_for_their_time_do_not_notice(
    start: StartServer, tmp_path: Path, gate: Gate, faults: Faults, shift_seconds: float
) -> None:
    config = write_configuration(tmp_path)
    server = start(config, faults.environment)
    running = server.submit("hold", gate=str(gate))
    server.running(running)
    schedule(server, "soon", DELAY_SECONDS)
    schedule(server, "later", 100 * HOUR_SECONDS)
    begin = time.monotonic()

    faults.set_clock(shift_seconds)
    assert server.completed("soon") == {"sum": 2}
    assert DELAY_SECONDS - 0.5 < time.monotonic() - begin < DELAY_SECONDS + 10
    assert server.status("later")["phase"] == "scheduled"
    assert server.status(running)["status"] == "running"
    schedule(server, "again", DELAY_SECONDS)
    assert server.completed(server.submit("add_numbers", a=1, b=2)) == {"sum": 3}
    server.kill()

    # The new server goes by the clock as it is now: a delay of an earlier time is over, or begins again.
    begin = time.monotonic()
    server = start(config, faults.environment)
    assert server.completed("again") == {"sum": 2}
    assert time.monotonic() - begin < DELAY_SECONDS + 10
    assert server.status("later")["phase"] == "scheduled"
    gate.open()
    assert server.completed(running) == {"attempt": 2}
    assert server.health()["status"] == "healthy"
