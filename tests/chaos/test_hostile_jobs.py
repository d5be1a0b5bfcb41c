"""Every hostile job of the table, on a real server: it ends as its row says, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.harness.client import Record
from tests.acceptance.harness.configuration import MODULES, write_configuration
from tests.acceptance.harness.processes import is_alive
from tests.acceptance.harness.server import GONE_SECONDS, Server
from tests.acceptance.harness.waiting import Gate, until
from tests.chaos.hostile import HOSTILE, MAX_CRASHES, RUNS_IN, TIMEOUT_SECONDS, Row
from tests.chaos.household import Household

WORKERS = 3
GRACE_SECONDS = 0.2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of them: it must survive each."""
    config = write_configuration(
        tmp_path_factory.mktemp("hostile"),
        queue_manager={"max_concurrent_jobs": WORKERS},
        queue_plugin={
            "workers": {"min": WORKERS},
            "job_defaults": {"max_crashes": MAX_CRASHES, "stop_grace_seconds": GRACE_SECONDS},
        },
        modules=(*MODULES, "tests.chaos.commands"),
    )
    with Server(config).serving() as server:
        yield server
        assert server.process.poll() is None, server.log_text()


@pytest.fixture(scope="module")
def household(server: Server) -> Household:
    return Household(server, workers=WORKERS)


@pytest.fixture(scope="module")
def clean(server: Server) -> dict[str, Any]:
    """What a job sees before any other has run."""
    seen: dict[str, Any] = server.completed(server.submit("look"))["seen"]
    return seen


@pytest.fixture
def neighbour(server: Server, household: Household, gate: Gate) -> str:
    """A job that runs as long as the gate is shut."""
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    return job_id


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_as_the_table_says_and_harms_nobody(
    name: str, server: Server, household: Household, clean: dict[str, Any], neighbour: str, gate: Gate
) -> None:
    row = HOSTILE[name]
    record = end_of(server, name, row)
    assert (record["status"], record["attempt"]) == (row.status, row.attempts), record
    check_error(row, record)
    if row.status == "completed":
        assert record["result"]["result"]["data"] == {"returned": row.returns}

    worker = int(record["description"].removeprefix(RUNS_IN))
    after = server.submit("look")
    found = server.completed(after)
    assert (found["pid"] == worker) == (row.worker == "stays")
    assert found["seen"] == clean
    gate.open()
    assert server.completed(neighbour) == {"attempt": 1}

    until(lambda: not household.strangers(), f"none of {household.strangers()} is left", GONE_SECONDS)
    if row.worker == "stays":
        assert is_alive(worker)
    else:
        until(lambda: not is_alive(worker), "the worker is gone", GONE_SECONDS)
    check_log(server, row, record)
    assert [lines_of(server, job_id) for job_id in (after, neighbour)] == [(["out"], ["err"]), ([], [])]
    assert server.health()["issues"] == []
    assert server.is_healthy()


def end_of(server: Server, name: str, row: Row) -> Record:
    """The record of the row's job once it has ended."""
    job_id = f"hostile: {name}"
    options: dict[str, Any] = {"timeout_seconds": TIMEOUT_SECONDS} if row.error == "JobTimeout" else {}
    params = {"command": "misbehave", "params": {"name": name}}
    server.data("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True, **options)
    if row.status == "stopped":
        server.wait(job_id, lambda record: record["description"].startswith(RUNS_IN))
        server.stop(job_id, grace_seconds=GRACE_SECONDS)
    return server.ended(job_id)


def check_error(row: Row, record: Record) -> None:
    """The job says by name what was wrong with it; one that took its worker with it, what it wrote last."""
    if row.error is None:
        assert record["error"] is None
        return
    assert record["error_info"]["type"] == row.error
    assert row.says in record["error"]
    if row.error == "WorkerCrashed":
        assert row.log in (record["error_info"]["traceback_tail"] or "")


def lines_of(server: Server, job_id: str) -> tuple[list[str], list[str]]:
    log = server.logs(job_id)
    return log["stdout"], log["stderr"]


def check_log(server: Server, row: Row, record: Record) -> None:
    """It holds what this job wrote, and nothing of another."""
    job_id = record["job_id"]
    log = server.logs(job_id)
    pages = [log, server.logs(job_id, tail=True)]
    text = "\n".join(line for page in pages for stream in ("stdout", "stderr") for line in page[stream])
    assert row.log in text
    signatures = {line for line in text.splitlines() if RUNS_IN in line}
    expected = {f"{job_id} {attempt} {RUNS_IN}" for attempt in range(1, row.attempts + 1)}
    found = {line.rpartition(RUNS_IN)[0] + RUNS_IN for line in signatures}
    assert found == expected if not log["dropped_lines"] else found <= expected
