"""Stopping and deleting jobs, wherever they stand."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness import processes
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

PROMPT_SECONDS = 2.0


@pytest.mark.parametrize("options", [{"start": False}, {"start": True, "delay_seconds": 3600}], ids=str)
def test_a_job_that_waits_is_stopped_at_once(server: Server, job_id: str, options: dict[str, Any]) -> None:
    params = {"command": "add_numbers", "params": {"a": 1, "b": 1}}
    server.data("queue_add_job", job_type="command_execution", job_id=job_id, params=params, **options)
    record = server.stop(job_id)
    assert (record["status"], record["phase"], record["attempt"]) == ("stopped", None, 0)
    assert record["reason"] == "stopped by request"
    assert record["completed_at"]
    assert server.status(job_id).items() >= {"status": "stopped", "version": record["version"]}.items()


def test_an_async_job_is_cancelled_promptly(server: Server, gate: Gate) -> None:
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    begun = time.monotonic()
    record = server.stop(job_id)
    assert time.monotonic() - begun < PROMPT_SECONDS
    assert (record["status"], record["stopped"]) == ("stopped", True)
    assert record["error"] is None


def test_a_job_that_looks_for_a_stop_ends_by_itself_and_keeps_its_result(server: Server) -> None:
    job_id = server.submit("cooperate")
    server.running(job_id)
    record = server.stop(job_id)
    assert (record["status"], record["has_result"]) == ("stopped", True)
    assert record["result"]["result"]["data"] == {"stopped": True}
    assert server.logs(job_id)["stdout"] == ["let go"]


def test_a_job_class_that_looks_for_a_stop_keeps_its_result(server: Server, job_id: str) -> None:
    server.add(job_id, "patient")
    server.running(job_id)
    assert server.stop(job_id)["status"] == "stopped"
    assert server.status(job_id)["result"] == {"pages": 3}


def test_a_job_that_blocks_is_killed_after_its_grace_time(server: Server) -> None:
    job_id = server.submit("block")
    server.running(job_id)
    begun = time.monotonic()
    record = server.stop(job_id, grace_seconds=0.3)
    assert 0.3 <= time.monotonic() - begun < 0.3 + PROMPT_SECONDS
    assert record["status"] == "stopped"
    assert server.completed(server.submit("add_numbers", a=1, b=1)) == {"sum": 2}


def test_what_a_stopped_job_has_started_goes_with_it(server: Server) -> None:
    before = server.processes().keys()
    job_id = server.submit("leave_family")
    server.running(job_id)
    family = {pid for pid, line in server.processes().items() if pid not in before and "time.sleep" in line}
    assert len(family) == 1
    assert server.stop(job_id)["status"] == "stopped"
    until(lambda: not any(map(processes.is_alive, family)), "the job's child is gone", PROMPT_SECONDS)


def test_a_job_that_has_stopped_is_not_stopped_again(server: Server) -> None:
    job_id = server.submit("block")
    server.running(job_id)
    assert server.stop(job_id, grace_seconds=0)["status"] == "stopped"
    error = server.refusal("queue_stop_job", job_id=job_id)
    assert (error["data"]["domain_code"], error["data"]["current_status"]) == ("JOB_STATE_INVALID", "stopped")


@pytest.mark.parametrize("verb", ["queue_stop_job", "queue_delete_job"])
def test_a_second_request_hastens_the_first_and_both_are_told_the_same(server: Server, verb: str) -> None:
    job_id = server.submit("block")
    server.running(job_id)
    with ThreadPoolExecutor(1) as threads, closing(Client(server.url)) as other:
        first = threads.submit(other.data, verb, job_id=job_id, grace_seconds=3600)
        server.wait(job_id, lambda record: record["phase"] == "stopping")
        begun = time.monotonic()
        second = server.data(verb, job_id=job_id, grace_seconds=0)
        answers = [first.result(), second]
        assert time.monotonic() - begun < PROMPT_SECONDS
    ended = "stopped" if verb == "queue_stop_job" else "deleted"
    assert [(answer["status"], answer["version"]) for answer in answers] == [(ended, second["version"])] * 2


def test_a_request_is_answered_below_the_servers_cap_with_the_job_still_stopping(
    start: StartServer, tmp_path: Path
) -> None:
    server = start(write_configuration(tmp_path, queue_manager={"command_timeout": 1.5}))
    job_id = server.submit("block")
    server.running(job_id)
    stopping = server.stop(job_id, grace_seconds=3600)
    facts = {"status": "running", "phase": "stopping", "stop_requested": True, "stopped": False}
    assert stopping.items() >= facts.items()
    assert stopping["message"] == f"Stop requested for job {job_id}, actual status is running"
    deleting = server.delete(job_id, grace_seconds=3600)
    facts = {"job_id": job_id, "status": "running", "phase": "stopping", "deleted_confirmed": False}
    assert deleting.items() >= facts.items()
    assert server.delete(job_id, grace_seconds=0)["status"] == "deleted"


def test_a_job_that_is_started_again_before_it_runs_is_no_error(server: Server, job_id: str) -> None:
    server.add(job_id, command="add_numbers", params={"a": 1, "b": 1}, start=False)
    assert server.data("queue_start_job", job_id=job_id)["status"] in ("pending", "running")
    assert server.completed(job_id) == {"sum": 2}


def test_a_running_job_is_not_started_again(server: Server, gate: Gate) -> None:
    job_id = server.submit("hold", gate=str(gate))
    server.running(job_id)
    error = server.refusal("queue_start_job", job_id=job_id)
    assert (error["data"]["domain_code"], error["data"]["current_status"]) == ("JOB_STATE_INVALID", "running")
    gate.open()
    assert server.completed(job_id) == {"attempt": 1}


@pytest.mark.parametrize("stage", ["pending", "running", "finished"])
def test_a_deleted_job_leaves_a_tombstone(server: Server, job_id: str, gate: Gate, stage: str) -> None:
    server.add(job_id, command="hold", params={"gate": str(gate)}, start=stage != "pending")
    if stage == "running":
        server.running(job_id)
    if stage == "finished":
        gate.open()
        server.ended(job_id)

    record = server.delete(job_id)

    assert (record["status"], record["deleted_confirmed"]) == ("deleted", True)
    tombstone = server.status(job_id)
    assert (tombstone["status"], tombstone["reason"]) == ("deleted", "deleted by request")
    assert (tombstone["result"], tombstone["has_result"]) == ({}, False)
    assert server.logs(job_id)["stdout_lines"] == 0
    assert job_id not in server.job_ids()
    deleted = server.data("queue_list_jobs", status_filter="deleted", limit=1000)["jobs"]
    assert job_id in {row["job_id"] for row in deleted}


def test_the_id_of_a_deleted_job_can_be_used_again(server: Server, job_id: str) -> None:
    server.add(job_id, command="add_numbers", params={"a": 1, "b": 1})
    server.completed(job_id)
    server.delete(job_id)
    server.add(job_id, command="add_numbers", params={"a": 20, "b": 1})
    assert server.completed(job_id) == {"sum": 21}
    assert server.status(job_id)["attempt"] == 1


def test_a_deleted_job_that_blocks_is_killed_after_its_grace_time(server: Server) -> None:
    job_id = server.submit("block")
    server.running(job_id)
    assert server.delete(job_id, grace_seconds=0.2)["status"] == "deleted"
