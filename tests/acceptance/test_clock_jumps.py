"""The system's clock is set an hour on, or back, under a running server and between two of its runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import Faults
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

HOUR_SECONDS = 3600.0
DELAY_SECONDS = 1.0
SLACK_SECONDS = 10.0


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


def require_in_time(server: Server, job_id: str, since: float) -> None:
    """A job that was scheduled at ``since`` completes after its delay, neither long before nor long after."""
    assert server.completed(job_id) == {"sum": 2}
    assert DELAY_SECONDS - 0.3 < time.monotonic() - since < DELAY_SECONDS + SLACK_SECONDS


def test_jobs_that_run_and_jobs_that_wait_for_their_time_do_not_notice(
    start: StartServer, tmp_path: Path, gate: Gate, faults: Faults
) -> None:
    server = start(write_configuration(tmp_path), faults.environment)
    running = server.submit("hold", gate=str(gate))
    server.running(running)
    for shift_seconds in (HOUR_SECONDS, -HOUR_SECONDS):
        begin = time.monotonic()
        schedule(server, f"soon {shift_seconds}", DELAY_SECONDS)
        schedule(server, f"later {shift_seconds}", HOUR_SECONDS / 2)
        faults.set_clock(shift_seconds)
        require_in_time(server, f"soon {shift_seconds}", begin)
        assert server.status(f"later {shift_seconds}")["phase"] == "scheduled"
        assert server.completed(server.submit("add_numbers", a=1, b=2)) == {"sum": 3}
    assert server.status(running)["status"] == "running"
    gate.open()
    assert server.completed(running) == {"attempt": 1}
    assert server.health()["status"] == "healthy"


def test_the_next_server_goes_by_the_clock_as_it_is_then(start: StartServer, tmp_path: Path, faults: Faults) -> None:
    config = write_configuration(tmp_path)
    server = start(config, faults.environment)
    schedule(server, "over", HOUR_SECONDS / 2)
    schedule(server, "far", 100 * HOUR_SECONDS)
    server.kill()

    faults.set_clock(HOUR_SECONDS)
    server = start(config, faults.environment)
    assert server.completed("over") == {"sum": 2}
    schedule(server, "anew", DELAY_SECONDS)
    server.kill()

    # What is now an hour away would be late: its delay begins again.
    faults.set_clock(-HOUR_SECONDS)
    server = start(config, faults.environment)
    assert server.completed("anew") == {"sum": 2}
    assert server.status("far")["phase"] == "scheduled"
