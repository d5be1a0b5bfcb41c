"""A job that kills whoever runs it fails after ``max_crashes`` attempts, and takes no innocent job with it."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import MODULES, write_configuration
from tests.acceptance.harness.server import Server

MAX_CRASHES = 2
PILLS = 4
INNOCENTS = 20


def test_pills_end_and_innocent_jobs_run_once(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(
        tmp_path,
        queue_plugin={"workers": {"min": 2}, "job_defaults": {"max_crashes": MAX_CRASHES}},
        modules=(*MODULES, "tests.chaos.commands"),
    )
    server = start(config)
    pills: dict[str, Path] = {}
    innocents: list[str] = []
    for number in range(PILLS):
        path = tmp_path / f"pill {number}"
        pills[server.submit("poison", path=str(path))] = path
        innocents += [server.submit("attempt") for _ in range(INNOCENTS // PILLS)]

    assert [server.completed(job_id) for job_id in innocents] == [{"attempt": 1}] * INNOCENTS
    for job_id, path in pills.items():
        check_pill(server, job_id, path)
    assert server.health()["workers"]["crashed_total"] == PILLS * MAX_CRASHES

    server.kill()
    server = start(config)
    assert server.completed(server.submit("attempt")) == {"attempt": 1}
    for job_id, path in pills.items():
        check_pill(server, job_id, path)


def check_pill(server: Server, job_id: str, path: Path) -> None:
    """It has run as often as it may, and says how it ended and what it wrote last."""
    record = server.ended(job_id)
    assert (record["status"], record["attempt"]) == ("failed", MAX_CRASHES)
    assert record["error_info"]["type"] == "WorkerCrashed"
    assert record["error"].endswith("was killed by SIGKILL")
    assert record["error_info"]["traceback_tail"] == f"last words of attempt {MAX_CRASHES}"
    assert path.read_text() == "12"
