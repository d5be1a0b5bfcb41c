"""Jobs that are classes, and what an application brings along."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import APP, write_configuration
from tests.acceptance.harness.server import Server


def test_a_job_of_the_adapters_kind(server: Server, job_id: str) -> None:
    record = server.add(job_id, "double", number=21, start=False)
    assert (record["status"], record["phase"], record["job_type"]) == ("pending", "created", "double")
    assert server.data("queue_start_job", job_id=job_id)["status"] in ("pending", "running")
    record = server.ended(job_id)
    assert (record["status"], record["result"], record["description"]) == ("completed", {"doubled": 42}, "doubling")
    assert server.logs(job_id)["stdout"] == ["doubling 21"]


def test_a_job_of_queuemgrs_kind_runs_with_its_hooks(server: Server, job_id: str) -> None:
    server.add(job_id, "hooks", colour="blue")
    record = server.ended(job_id)
    assert (record["status"], record["result"]) == ("completed", {"params": {"colour": "blue"}, "attempt": 1})
    logs = server.logs(job_id)
    assert (logs["stdout"], logs["stderr"]) == (["on_start"], ["on_end"])


def test_a_job_that_says_it_failed_has_failed(server: Server, job_id: str) -> None:
    server.add(job_id, "reported_failure")
    record = server.ended(job_id)
    assert (record["status"], record["error"]) == ("failed", "out of ink")
    assert record["result"] == {"status": "error", "message": "out of ink", "code": 7}


def test_a_job_that_raises_has_failed(server: Server, job_id: str) -> None:
    server.add(job_id, "raising")
    record = server.ended(job_id)
    assert (record["status"], record["error_info"]["type"]) == ("failed", "LookupError")
    assert "no such page" in record["error"]


@pytest.fixture
def application(start: StartServer, tmp_path: Path) -> Server:
    """The sample application, and a ``queue_health`` of its own."""
    modules = ("jobs.data_processing_job", "commands.analyze_project_command", f"{APP}.own_health")
    return start(write_configuration(tmp_path, modules=modules))


def test_the_sample_application_runs_and_keeps_its_own_commands(application: Server, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("name,price\napple,1.5\npear,2.5\n")
    application.add("prices", "csv_statistics", path=str(table))
    record = application.ended("prices")
    assert (record["status"], record["progress"]) == ("completed", 100)
    assert record["result"]["rows"] == 2
    price = next(column for column in record["result"]["columns"] if column["name"] == "price")
    assert (price["min"], price["max"], price["mean"]) == (1.5, 2.5, 2.0)

    code = tmp_path / "code"
    code.mkdir()
    (code / "module.py").write_text("class Thing:\n    def use(self) -> None: ...\n")
    mapped = application.completed(application.submit("analyze_project", root_dir=str(code)))
    assert (mapped["totals"]["modules"], mapped["totals"]["classes"]) == (1, 1)

    assert application.health() == {"mood": "cheerful"}
    assert application.status("prices")["version"] > 0
