"""An orderly end: exit code 0, no process left, and what was interrupted goes on after the restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

STOPPING = "The queue is stopping"


@pytest.mark.parametrize("ending", ["SIGTERM", "Ctrl-C"])
def test_running_jobs_get_their_time_and_results_survive(
    start: StartServer, tmp_path: Path, gate: Gate, ending: str
) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    finished = server.submit("narrate", gate=str(tmp_path))
    server.completed(finished)
    record, logs = server.status(finished), server.logs(finished)
    running = server.submit("hold", gate=str(gate))
    server.running(running)

    end(server, ending)
    server.wait_for_log(STOPPING)
    gate.open()
    assert server.exit_code() == 0
    until(lambda: not server.processes(), "no process is left", 2)

    server = start(config)
    assert server.completed(running) == {"attempt": 1}
    assert server.status(finished) == record
    assert server.logs(finished) == logs


def test_what_is_interrupted_runs_again_after_the_restart(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    config = write_configuration(tmp_path, queue_manager={"shutdown_timeout": 0.3})
    server = start(config)
    interrupted = [server.submit("hold", gate=str(gate)), server.submit("block")]
    for job_id in interrupted:
        server.running(job_id)
    waiting = [server.submit("add_numbers", a=number, b=0) for number in range(5)]
    server.add("created", command="add_numbers", params={"a": 9, "b": 9}, start=False)
    assert server.terminate() == 0
    until(lambda: not server.processes(), "no process is left", 2)

    server = start(config)
    assert server.running(interrupted[1])["attempt"] == 2
    server.stop(interrupted[1], grace_seconds=0)
    gate.open()
    assert server.completed(interrupted[0]) == {"attempt": 2}
    assert [server.completed(job_id) for job_id in waiting] == [{"sum": number} for number in range(5)]
    assert server.status("created")["phase"] == "created"


def test_a_client_that_waits_for_a_job_does_not_hold_up_the_end(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"in_memory": True, "shutdown_timeout": 0.1}))
    server.add("created", command="add_numbers", params={"a": 9, "b": 9}, start=False)
    assert server.terminate() == 0


def end(server: Server, ending: str) -> None:
    if ending == "Ctrl-C":
        server.interrupt()
    else:
        server.process.terminate()
