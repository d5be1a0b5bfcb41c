"""What the sections of the configuration change for a client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until


@pytest.fixture(scope="module")
def disabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose file has a queue, and whose environment has none."""
    config = write_configuration(tmp_path_factory.mktemp("disabled"))
    server = Server(config, environment={"MCP_QUEUE__QUEUE_MANAGER__ENABLED": "false"})
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.dispose()


@pytest.mark.parametrize("name", QUEUE_COMMANDS)
def test_without_a_queue_its_commands_say_so(disabled: Server, name: str) -> None:
    required = QUEUE_COMMANDS[name].required
    given: dict[str, Any] = {
        "job_id": "1",
        "job_type": "command_execution",
        "params": {"command": "add_numbers"},
        "queue": "default",
        "key": "first",
    }
    error = disabled.refusal(name, **{key: given[key] for key in required})
    assert (error["code"], error["data"]["domain_code"]) == (-32000, "QUEUE_DISABLED")


def test_a_variable_that_disables_the_queue_leaves_no_other_in_its_place(disabled: Server) -> None:
    error = disabled.refusal("add_numbers", a=1, b=2)
    assert (error["code"], error["data"]["domain_code"]) == (-32000, "QUEUE_DISABLED")
    assert len(disabled.processes()) == 1


@pytest.mark.parametrize(
    ("section", "environment"),
    [({"command_timeout": 1.2}, {}), ({}, {"MCP_QUEUE__QUEUE_MANAGER__COMMAND_TIMEOUT": "1.2"})],
)
def test_a_synchronous_command_that_takes_too_long_becomes_a_job(
    start: StartServer, tmp_path: Path, gate: Gate, section: dict[str, Any], environment: dict[str, str]
) -> None:
    server = start(write_configuration(tmp_path, queue_manager=section), environment)
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


@pytest.mark.parametrize(
    ("section", "environment"),
    [
        ({"default_poll_interval": 0.1, "default_max_wait_time": 3.0}, {}),
        (
            {},
            {
                "MCP_QUEUE__QUEUE_MANAGER__DEFAULT_POLL_INTERVAL": "0.1",
                "MCP_QUEUE__QUEUE_MANAGER__DEFAULT_MAX_WAIT_TIME": "3",
            },
        ),
    ],
)
def test_a_default_poll_interval_makes_calls_answer_with_the_result(
    start: StartServer, tmp_path: Path, gate: Gate, section: dict[str, Any], environment: dict[str, str]
) -> None:
    server = start(write_configuration(tmp_path, queue_manager=section), environment)
    # Its schema forbids a poll_interval in the call.
    answer = server.call("add_numbers", a=1, b=2)
    assert (answer["status"], answer["result"]["result"]["data"]) == ("completed", {"sum": 3})
    assert "Polling timeout after 3.0 seconds" in server.refusal("hold", gate=str(gate))["message"]
    assert server.call("hold", gate=str(gate), poll_interval=0)["status"] == "pending"
    gate.open()


def test_the_environment_goes_before_the_file(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config, {"MCP_QUEUE__QUEUE_MANAGER__MAX_CONCURRENT_JOBS": "7"})
    health = server.health()
    assert health["max_concurrent_jobs"] == 7
    assert health["registry_path"] == str(tmp_path / "queue.db")
    assert (health["status"], health["durable"], health["durability"]) == ("healthy", True, "full")
    assert server.get("/health")["status"] in ("healthy", "ok")


def test_what_a_variable_replaces_in_the_file_is_not_refused(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(
        tmp_path,
        queue_manager={"registry_path": None, "shutdown_timeout": -1},
        queue_plugin={"durability": "fast"},
    )
    environment = {
        "MCP_QUEUE__QUEUE_MANAGER__REGISTRY_PATH": "other.db",
        "MCP_QUEUE__QUEUE_MANAGER__SHUTDOWN_TIMEOUT": "5",
        "MCP_QUEUE__DURABILITY": "normal",
    }
    health = start(config, environment).health()
    assert (health["registry_path"], health["durability"]) == (str(tmp_path / "other.db"), "normal")


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
