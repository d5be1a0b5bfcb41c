"""What the sections of the configuration change for a client."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.waiting import Gate, until


def test_without_a_queue_a_call_says_so(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"enabled": False}))
    error = server.refusal("add_numbers", a=1, b=2)
    assert (error["code"], error["data"]["domain_code"]) == (-32000, "QUEUE_DISABLED")
    assert len(server.processes()) == 1
    assert not (tmp_path / "queue.db").exists()


def test_a_synchronous_command_that_takes_too_long_becomes_a_job(
    start: StartServer, tmp_path: Path, gate: Gate
) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"command_timeout": 1.2}))
    answer = server.call("hold_in_server", gate=str(gate))
    assert answer["queued_after_timeout"]
    job_id = answer["job_id"]

    record = server.status(job_id, wait_seconds=5)
    assert (record["status"], record["command"]) == ("running", "hold_in_server")
    assert 0.1 < record["wait_capped_seconds"] < 0.3
    assert job_id in server.job_ids()

    gate.open()
    answer = server.call("hold_in_server", gate=str(gate))
    until(lambda: server.status(job_id)["status"] == "completed", "the job has completed")
    assert server.status(job_id)["result"]["result"] == answer
    assert server.delete(job_id)["status"] == "deleted"


def test_a_default_poll_interval_makes_calls_answer_with_the_result(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"default_poll_interval": 0.1}))
    answer = server.call("add_numbers", a=1, b=2)
    assert (answer["status"], answer["result"]["result"]["data"]) == ("completed", {"sum": 3})


def test_the_environment_goes_before_the_file(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config, {"MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS": "7"})
    health = server.health()
    assert health["max_concurrent_jobs"] == 7
    assert health["registry_path"] == str(tmp_path / "queue.db")
    assert (health["status"], health["durable"], health["durability"]) == ("healthy", True, "full")
    assert server.get("/health")["status"] in ("healthy", "ok")


def test_a_job_that_must_not_run_twice_fails_when_its_server_dies(
    start: StartServer, tmp_path: Path, gate: Gate
) -> None:
    config = write_configuration(tmp_path, queue_plugin={"job_defaults": {"on_interrupt": "fail"}})
    server = start(config)
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    server.kill()
    record = start(config).ended(job_id)
    assert (record["status"], record["attempt"]) == ("failed", 1)
