"""``kill -9`` of the server: nothing of it is left, and nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until


def test_every_acknowledged_job_is_there_and_runs_to_its_end(start: StartServer, tmp_path: Path, gate: Gate) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    finished = [server.submit("narrate", gate=str(tmp_path)), server.submit("raise_error")]
    for job_id in finished:
        server.ended(job_id)
    before = [(server.status(job_id), server.logs(job_id)) for job_id in finished]
    running = [server.submit("hold", gate=str(gate)) for _ in range(2)]
    for job_id in running:
        server.running(job_id)
    stopped = server.submit("add_numbers", a=0, b=0)
    server.stop(stopped)
    waiting = [server.submit("add_numbers", a=number, b=1) for number in range(30)]
    server.add("created", command="add_numbers", params={"a": 9, "b": 9}, start=False)

    server.kill()

    server = start(config)
    assert server.job_ids() == {*finished, *running, *waiting, stopped, "created"}
    assert [(server.status(job_id), server.logs(job_id)) for job_id in finished] == before
    gate.open()
    assert [server.completed(job_id) for job_id in running] == [{"attempt": 2}] * 2
    assert [server.completed(job_id)["sum"] for job_id in waiting] == list(range(1, 31))
    assert server.status(stopped)["status"] == "stopped"
    assert server.status("created")["phase"] == "created"
    server.data("queue_start_job", job_id="created")
    assert server.completed("created") == {"sum": 18}


def test_a_job_that_was_answered_a_moment_ago_is_there(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    job_id = server.submit("add_numbers", a=40, b=2)
    server.kill()
    assert start(config).completed(job_id) == {"sum": 42}


def test_a_stop_and_a_deletion_that_were_acknowledged_hold(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, queue_manager={"command_timeout": 1.2, "max_concurrent_jobs": 2})
    server = start(config)
    running = [server.submit("block"), server.submit("block")]
    for job_id in running:
        server.running(job_id)
    waiting = [server.submit("add_numbers", a=1, b=1) for _ in range(2)]
    answers = [
        server.stop(running[0], grace_seconds=3600),
        server.delete(running[1], grace_seconds=3600),
        server.stop(waiting[0]),
        server.delete(waiting[1]),
    ]
    assert [answer["status"] for answer in answers] == ["running", "running", "stopped", "deleted"]

    server.kill()

    server = start(config)
    assert server.completed(server.submit("add_numbers", a=1, b=1)) == {"sum": 2}
    records = [server.status(job_id) for job_id in (*running, *waiting)]
    assert [record["status"] for record in records] == ["stopped", "deleted", "stopped", "deleted"]
    assert [record["attempt"] for record in records] == [1, 1, 0, 0]


def test_the_children_of_jobs_go_too_wherever_they_moved(start: StartServer, tmp_path: Path) -> None:
    server = start(write_configuration(tmp_path))
    job_id = server.submit("leave_family")
    server.running(job_id)
    assert any("time.sleep" in line for line in server.processes().values())
    server.kill()


def test_a_store_in_memory_leaves_no_file(start: StartServer, tmp_path: Path) -> None:
    server, temporary = in_memory_server(start, tmp_path)
    server.kill()
    assert stores_in(temporary) == []


def test_a_store_in_memory_is_removed_at_shutdown(start: StartServer, tmp_path: Path) -> None:
    server, temporary = in_memory_server(start, tmp_path)
    assert server.terminate() == 0
    assert stores_in(temporary) == []


@pytest.mark.parametrize("victim", ["warden_pid", "engine_pid"])
def test_a_server_that_loses_its_engine_goes_on_with_all_jobs(
    victim: str, start: StartServer, tmp_path: Path, gate: Gate
) -> None:
    server = start(write_configuration(tmp_path))
    finished = server.submit("add_numbers", a=1, b=1)
    assert server.completed(finished) == {"sum": 2}
    running, family = server.submit("hold", gate=str(gate)), server.submit("leave_family")
    for job_id in (running, family):
        server.running(job_id)
    server.add("created", command="add_numbers", params={"a": 9, "b": 9}, start=False)
    before = server.processes()
    del before[server.pid]
    os.kill(getattr(server, victim), signal.SIGKILL)
    until(lambda: not before.keys() & server.processes().keys(), "all that was below the engine is gone", 2)
    gate.open()
    assert server.completed(running) == {"attempt": 2}
    assert server.completed(finished) == {"sum": 2}
    assert server.status("created")["phase"] == "created"
    assert server.completed(server.submit("add_numbers", a=2, b=2)) == {"sum": 4}
    assert server.health()["status"] == "healthy"
    server.wait_for_log("The queue's engine was started again")
    # Not orderly: a job that never ends would be waited for.
    server.kill()


def test_a_start_right_after_a_kill_succeeds(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    server = start(config)
    server.submit("leave_family")
    server.process.kill()
    server.process.wait()
    following = start(config)
    assert following.completed(following.submit("add_numbers", a=2, b=2)) == {"sum": 4}
    following.kill()


def in_memory_server(start: StartServer, tmp_path: Path) -> tuple[Server, Path]:
    """A server that keeps its jobs in memory and has done one, and the folder for its temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start(write_configuration(tmp_path, queue_manager={"in_memory": True}), {"TMPDIR": str(temporary)})
    assert server.health()["durable"] is False
    server.completed(server.submit("add_numbers", a=1, b=1))
    assert stores_in(temporary)
    return server, temporary


def stores_in(folder: Path) -> list[Path]:
    """The queue's files; the adapter has a temporary folder of its own."""
    return list(folder.glob("mcp-queue*"))
