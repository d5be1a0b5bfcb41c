"""Logs as a client reads them: while the job runs, beyond the limit, and after a crash of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.client import ENDED
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

LOG_BYTES = 4_000_000
PAGE_BYTES = 1024 * 1024


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("writing")
    modules = [*MODULES, f"{APP}.writing"]
    plugin = {"auto_import_modules": modules, "limits": {"log_bytes": LOG_BYTES}}
    server = Server(write_configuration(folder, queue_plugin=plugin))
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.dispose()


def follow(server: Server, job_id: str) -> list[str]:
    """The lines of standard output of a job, followed to its end."""
    lines: list[str] = []
    cursor = "0"
    while True:
        ended = server.status(job_id)["status"] in ENDED
        page = server.logs(job_id, cursor=cursor, stream="stdout", limit=100, wait_seconds=0 if ended else 5)
        for entry in page["entries"]:
            if entry.get("continues"):
                lines[-1] += entry["line"]
            else:
                lines.append(entry["line"])
        cursor = page["next_cursor"]
        if ended and not page["entries"]:
            return lines


def test_who_follows_a_log_misses_and_repeats_nothing(writing: Server) -> None:
    job_id = writing.submit("print_lines", count=5_000)
    assert follow(writing, job_id) == [f"line {number}" for number in range(5_000)]


def test_half_a_line_is_seen_at_once_and_its_rest_when_it_comes(writing: Server, gate: Gate) -> None:
    job_id = writing.submit("write_half", gate=str(gate))
    first = writing.logs(job_id, wait_seconds=10)
    assert [(entry["line"], entry.get("continues")) for entry in first["entries"]] == [("load", None)]
    gate.open()
    second = writing.logs(job_id, cursor=first["next_cursor"], wait_seconds=10)
    assert [(entry["line"], entry.get("continues")) for entry in second["entries"]] == [("ing", True)]
    writing.completed(job_id)
    assert writing.logs(job_id)["stdout"] == ["loading"]


def test_a_page_holds_a_megabyte_at_most(writing: Server) -> None:
    job_id = writing.submit("write_long", count=1_500)
    writing.completed(job_id)
    for tail in (False, True):
        assert 0.8 * PAGE_BYTES < 2_001 * len(writing.logs(job_id, tail=tail)["stdout"]) <= PAGE_BYTES
    assert len(follow(writing, job_id)) == 1_500


def test_of_a_log_beyond_the_limit_the_end_is_kept_and_the_rest_counted(writing: Server) -> None:
    job_id = writing.submit("write_long", count=5_000)
    writing.completed(job_id)
    kept = [int(line.split(" ", 1)[0]) for line in follow(writing, job_id)]
    page = writing.logs(job_id, tail=True, limit=1)
    assert kept == list(range(page["dropped_lines"], 5_000))
    assert LOG_BYTES * 0.9 < 2_001 * len(kept) <= LOG_BYTES
    assert page["stdout_lines"] == 5_000
    assert page["stdout"][0].startswith("4999 ")


def test_a_log_survives_a_crash_of_the_server(start: StartServer, tmp_path: Path) -> None:
    plugin = {"auto_import_modules": list(MODULES), "limits": {"log_bytes": 1024}}
    config = write_configuration(tmp_path, queue_plugin=plugin)
    server = start(config)
    job_id = server.submit("print_lines", count=500)
    server.completed(job_id)
    before = server.logs(job_id)
    assert before["dropped_lines"] > 300
    server.kill()
    assert start(config).logs(job_id) == before
