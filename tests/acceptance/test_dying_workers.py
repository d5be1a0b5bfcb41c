"""Workers that die or cannot start as they should: the job says why, and the others go on."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.server import Server


def test_a_job_that_kills_each_worker_fails_after_max_crashes(server: Server, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    job_id = server.submit("die", path=str(attempts))
    record = server.ended(job_id)
    assert (record["status"], record["attempt"]) == ("failed", 3)
    assert record["error_info"]["type"] == "WorkerCrashed"
    assert "exited with code 7" in record["error"]
    assert attempts.read_text() == "xxx"


def test_a_job_whose_worker_died_once_runs_again(server: Server, tmp_path: Path) -> None:
    job_id = server.submit("die", path=str(tmp_path / "attempts"), times=1)
    assert server.completed(job_id) == {"survived": True}
    assert server.status(job_id)["attempt"] == 2


def test_an_attempt_begins_without_what_the_one_before_it_said(server: Server, tmp_path: Path) -> None:
    job_id = server.submit("die", path=str(tmp_path / "attempts"), times=1)
    server.completed(job_id)
    record = server.status(job_id)
    assert (record["attempt"], record["description"], record["step"]) == (2, "", "")


def test_the_pool_goes_on_after_a_crash(server: Server, tmp_path: Path) -> None:
    crashing = [server.submit("die", path=str(tmp_path / f"attempts-{number}")) for number in range(2)]
    others = [server.submit("add_numbers", a=number, b=1) for number in range(20)]
    assert [server.completed(job_id)["sum"] for job_id in others] == list(range(1, 21))
    assert {server.ended(job_id)["status"] for job_id in crashing} == {"failed"}
    assert server.health()["status"] == "healthy"


def test_what_only_the_server_knows_is_warned_about_and_fails_by_name(start: StartServer, tmp_path: Path) -> None:
    modules = (*MODULES, f"{APP}.server_only", f"{APP}.breaks_in_worker")
    server = start(write_configuration(tmp_path, modules=modules))

    server.wait_for_log("The command server_only is registered in the server only")
    server.wait_for_log("The command needs_licence is registered in the server only")
    server.wait_for_log("RuntimeError: the licence is in the server's script")
    server.wait_for_log("The job type local is defined where workers cannot import it")

    unknown = server.ended(server.submit("server_only"))
    assert unknown["status"] == "failed"
    assert "'server_only' is not registered in the worker" in unknown["error"]
    assert unknown["error_info"]["type"] == "CommandUnknown"

    broken = server.ended(server.submit("needs_licence"))
    assert broken["status"] == "failed"
    assert f"modules that failed to import in the worker: {APP}.breaks_in_worker" in broken["error"]
    assert "the licence is in the server's script" in broken["error_info"]["traceback_tail"]

    server.add("local-job", "local")
    local = server.ended("local-job")
    assert local["error_info"]["type"] == "TargetNotFound"
    assert "make_local_job.<locals>.LocalJob" in local["error"]

    assert server.completed(server.submit("add_numbers", a=1, b=1)) == {"sum": 2}


def test_a_worker_that_hangs_at_its_start_is_told_in_time_with_the_place(start: StartServer, tmp_path: Path) -> None:
    server = start(
        write_configuration(
            tmp_path,
            queue_plugin={"workers": {"min": 1, "start_timeout_seconds": 4}},
            modules=(*MODULES, f"{APP}.hangs_in_worker"),
        )
    )
    job_id = server.submit("add_numbers", a=1, b=1)
    server.wait_for_log("was not ready within 4 s")
    server.wait_for_log("hangs_in_worker.py")
    report = server.health()
    assert report["status"] == "degraded"
    assert report["issues"][0].startswith("workers do not start: the worker (pid ")
    assert server.status(job_id)["status"] == "pending"
