"""A synchronous command that exceeds the cap is handed over: it goes on in the server, followed like any job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

# The queue's own commands are synchronous too: a stop that waits for its job has to end before the cap.
CAP = {"command_timeout": 3.5}


@pytest.fixture(scope="module")
def capped_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(write_configuration(tmp_path_factory.mktemp("capped"), queue_manager=CAP))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.dispose()


def hand_over(server: Server, gate: Gate) -> str:
    answer = server.call("hold_in_server", gate=str(gate))
    assert answer["queued_after_timeout"]
    assert (answer["status"], answer["poll_with"]) == ("pending", "queue_get_job_status")
    return str(answer["job_id"])


def test_it_is_read_by_the_queues_commands(capped_server: Server, gate: Gate) -> None:
    job_id = hand_over(capped_server, gate)
    record = capped_server.status(job_id)
    assert (record["status"], record["phase"], record["command"]) == ("running", "working", "hold_in_server")
    assert job_id in {row["job_id"] for row in capped_server.data("queue_list_jobs", status_filter="running")["jobs"]}
    assert capped_server.logs(job_id)["entries"] == []
    assert capped_server.health()["running_jobs"] >= 1
    gate.open()
    record = capped_server.ended(job_id)
    assert (record["status"], record["progress"]) == ("completed", 100)
    assert record["result"]["result"]["data"] == {"pid": capped_server.pid}


def test_what_cannot_be_done_with_it_is_refused(capped_server: Server, gate: Gate) -> None:
    job_id = hand_over(capped_server, gate)
    assert "JOB_STATE_INVALID" in str(capped_server.refusal("queue_start_job", job_id=job_id))
    again = {"job_type": "double", "job_id": job_id, "params": {"number": 1}}
    assert "JOB_ALREADY_EXISTS" in str(capped_server.refusal("queue_add_job", **again))
    gate.open()
    capped_server.ended(job_id)


@pytest.mark.parametrize(("method", "last"), [("queue_stop_job", "stopped"), ("queue_delete_job", "deleted")])
def test_it_cannot_be_interrupted_but_a_stop_is_not_forgotten(
    capped_server: Server, gate: Gate, method: str, last: str
) -> None:
    job_id = hand_over(capped_server, gate)
    record = capped_server.data(method, job_id=job_id, grace_seconds=0)
    assert (record["status"], record["phase"]) == ("running", "stopping")
    gate.open()
    until(lambda: capped_server.status(job_id)["status"] == last, f"it is {last}")


def test_it_goes_with_its_server(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    config = write_configuration(tmp_path, queue_manager={"command_timeout": 0.5})
    server = start(config)
    job_id = hand_over(server, gate)
    until(lambda: server.status(job_id)["status"] == "running", "it is recorded")
    server.kill()
    record = start(config).ended(job_id)
    assert (record["status"], record["error_info"]["type"]) == ("failed", "Interrupted")
    assert record["error"].startswith("the server ran the command itself, and ended before it")
    assert record["description"] == "Command 'hold_in_server', run by the server itself"
