"""``mcp-queue jobs`` reads the store itself: beside a server, after a kill, and when all is at rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from mcp_queue_plugin.cli.main import main
from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

ONLY_SERVER_KNOWS = ("queue_position", "estimated_wait_seconds", "poll_after_seconds")


def answer(config: Path, *arguments: str) -> dict[str, Any]:
    """The JSON document of a command, which runs in this process: the server is another one."""
    done = CliRunner().invoke(main, [*arguments, "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def without_estimates(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ONLY_SERVER_KNOWS}


def told(server: Server, job_ids: list[str]) -> dict[str, Any]:
    return {job_id: without_estimates(server.status(job_id)) for job_id in job_ids}


def shown(config: Path, job_ids: list[str]) -> dict[str, Any]:
    return {job_id: without_estimates(answer(config, "jobs", "show", job_id)) for job_id in job_ids}


def test_what_is_shown_is_what_the_server_says(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    narrated = server.submit("narrate", gate=str(tmp_path))
    server.completed(narrated)
    held = server.submit("hold", gate=str(gate))
    server.running(held)
    jobs = [narrated, held]
    known = told(server, jobs)

    assert shown(config, jobs) == known
    listed = answer(config, "jobs", "list")
    assert [job["job_id"] for job in listed["jobs"]] == jobs[::-1]
    server.kill()
    assert shown(config, jobs) == known
    log = answer(config, "jobs", "logs", narrated)
    assert [entry["line"] for entry in log["entries"] if entry["stream"] == "stdout"] == ["first half", "second half"]

    gate.open()
    server = start(config)
    server.completed(held)
    known = told(server, jobs)
    assert server.terminate() == 0
    assert shown(config, jobs) == known
    assert answer(config, "store", "check") == {"path": str(tmp_path / "queue.db"), "problems": [], "sound": True}
    assert sorted(path.name for path in tmp_path.glob("queue.db*")) == ["queue.db"]
