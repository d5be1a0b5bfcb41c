"""Named queues as a client sees them: a rate limit, pauses, backoff, retries, and HTTP that says when to return."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import QUEUES
from tests.acceptance.harness.client import Record
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

LLM: dict[str, Any] = QUEUES["llm"]
PAUSE_SECONDS = LLM["min_pause_seconds"]
ROUNDING_SECONDS = 0.002
"""Records tell times in milliseconds."""


def queue(server: Server, name: str) -> Record:
    """A queue in numbers."""
    found: Record = server.health()["queues"][name]
    return found


def pauses(records: Iterable[Record]) -> list[float]:
    """The seconds from the end of each job to the start of the next."""
    times = sorted(
        (datetime.fromisoformat(record["started_at"]), datetime.fromisoformat(record["completed_at"]))
        for record in records
    )
    return [(later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(times)]


def test_a_rate_limited_queue_tells_positions_and_waits_and_refuses_what_is_too_much(
    application: Server, gate: Gate
) -> None:
    average = queue(application, "llm")["avg_job_duration_seconds"]
    cycle = average + PAUSE_SECONDS
    first = application.submit("ask_model", gate=str(gate))
    application.running(first)
    answers = [application.call("ask_model") for _ in range(3)]
    assert [(answer["status"], answer["phase"], answer["queue_position"]) for answer in answers] == [
        ("pending", "queued", position) for position in (1, 2, 3)
    ]
    waits = [answer["estimated_wait_seconds"] for answer in answers]
    assert waits == pytest.approx([cycle, 2 * cycle, 3 * cycle], abs=0.2)
    jobs = [answer["job_id"] for answer in answers]
    assert [application.status(job_id)["queue_position"] for job_id in jobs] == [1, 2, 3]
    listed = application.data("queue_list_jobs", queue="llm", status_filter="pending")["jobs"]
    assert {row["job_id"]: row["queue_position"] for row in listed} == dict(zip(jobs, (1, 2, 3), strict=True))
    running = application.status(first)
    assert (running["queue_position"], running["estimated_wait_seconds"]) == (None, None)

    refused = application.refusal("ask_model")
    assert (refused["code"], refused["data"]["domain_code"]) == (-32000, "QUEUE_FULL")
    assert refused["data"]["retry_after_seconds"] == pytest.approx(cycle, abs=1)
    assert (refused["data"]["limit"], refused["data"]["name"], refused["data"]["max_jobs"]) == ("queue", "llm", 4)

    application.completed(application.submit("add_numbers", a=1, b=1))
    assert application.status(jobs[0])["phase"] == "queued"
    gate.open()
    ended = [application.ended(job_id) for job_id in (first, *jobs)]
    assert [record["status"] for record in ended] == ["completed"] * 4
    assert [record["job_id"] for record in sorted(ended, key=lambda record: record["started_at"])] == [first, *jobs]
    assert min(pauses(ended)) >= PAUSE_SECONDS - ROUNDING_SECONDS


def test_a_queue_backs_off_while_its_jobs_fail_and_says_so(application: Server) -> None:
    before = queue(application, "llm")
    jobs = [application.submit("ask_model", refuse=True) for _ in range(3)]
    ended = [application.ended(job_id) for job_id in jobs]
    failing = queue(application, "llm")
    assert failing["consecutive_failures"] == 3
    assert 0 < failing["opens_in_seconds"] <= PAUSE_SECONDS + LLM["backoff_max_seconds"]
    last = application.submit("ask_model")
    ended.append(application.ended(last))
    waits = pauses(ended)
    assert waits[1] >= PAUSE_SECONDS + LLM["backoff_base_seconds"] - ROUNDING_SECONDS
    assert waits[2] >= PAUSE_SECONDS + LLM["backoff_max_seconds"] - ROUNDING_SECONDS
    after = queue(application, "llm")
    assert after["consecutive_failures"] == 0
    assert after["opens_in_seconds"] <= PAUSE_SECONDS
    assert (after["processed_total"], after["failed_total"]) == (
        before["processed_total"] + 1,
        before["failed_total"] + 3,
    )


def test_health_tells_each_queue_in_numbers(application: Server, gate: Gate) -> None:
    holder = application.add("holder", "aside")
    application.ended("holder")
    application.delete(holder["job_id"])
    queues = application.health()["queues"]
    assert list(queues) == ["default", *QUEUES]
    aside = queues["aside"]
    assert aside.pop("avg_job_duration_seconds") <= 60
    assert aside == {
        "name": "aside",
        "pending": 0,
        "running": 0,
        "paused": False,
        "max_size": None,
        "max_concurrent_jobs": None,
        "processed_total": aside["processed_total"],
        "failed_total": aside["failed_total"],
        "consecutive_failures": 0,
        "estimated_wait_seconds": 0.0,
        "opens_in_seconds": 0.0,
        "worker_running": True,
    }
    assert (queues["llm"]["max_size"], queues["llm"]["max_concurrent_jobs"]) == (4, 1)


def test_a_paused_queue_starts_nothing_until_it_is_resumed(application: Server, gate: Gate) -> None:
    running = application.submit("hold", gate=str(gate))
    application.running(running)
    paused = application.data("queue_pause", queue="default")["queue"]
    assert (paused["name"], paused["paused"], paused["running"]) == ("default", True, 1)
    assert application.data("queue_pause", queue="default")["queue"] == paused
    waiting = application.submit("add_numbers", a=1, b=2)
    gate.open()
    assert application.completed(running) == {"attempt": 1}
    application.add("passes-by", "aside")
    application.ended("passes-by")
    assert application.status(waiting)["phase"] == "queued"
    assert application.health()["status"] == "healthy"
    resumed = application.data("queue_resume", queue="default")["queue"]
    assert (resumed["paused"], resumed["running"]) == (False, 0)
    assert application.completed(waiting) == {"sum": 3}


@pytest.mark.parametrize("command", ["queue_pause", "queue_resume"])
def test_a_queue_that_is_not_there(application: Server, command: str) -> None:
    error = application.refusal(command, queue="lmm")
    assert (error["code"], error["data"]["field"]) == (-32602, "queue")
    assert "aside, default, llm, short" in error["message"]


def test_a_failed_job_is_run_again_by_request(application: Server, tmp_path: Path) -> None:
    job_id = application.submit("persevere", path=str(tmp_path / "runs"), runs=5)
    failed = application.ended(job_id)
    assert (failed["status"], failed["attempt"], failed["retries"]) == ("failed", 3, 2)
    assert failed["error"] == "run 3 of 5"
    again = application.data("queue_retry_job", job_id=job_id)
    assert (again["status"], again["phase"], again["retries"], again["error"]) == ("pending", "queued", 0, None)
    assert again["message"] == f"Job {job_id} is queued again"
    assert application.completed(job_id) == {"attempt": 5}
    refused = application.refusal("queue_retry_job", job_id=job_id)
    assert refused["data"]["domain_code"] == "JOB_STATE_INVALID"
    assert (refused["data"]["current_status"], refused["data"]["allowed_statuses"]) == (
        "completed",
        ["failed", "stopped"],
    )
    assert application.refusal("queue_retry_job", job_id="nobody")["data"]["domain_code"] == "JOB_NOT_FOUND"


def test_a_stopped_job_is_run_again_by_request(application: Server, gate: Gate) -> None:
    job_id = application.submit("hold", gate=str(gate))
    application.running(job_id)
    stopped = application.stop(job_id, grace_seconds=0)
    assert (stopped["status"], stopped["reason"]) == ("stopped", "stopped by request")
    assert application.data("queue_retry_job", job_id=job_id)["reason"] is None
    gate.open()
    assert application.completed(job_id) == {"attempt": 2}


def test_a_route_of_the_application_answers_a_full_queue_with_429_and_when_to_return(
    application: Server, gate: Gate
) -> None:
    with httpx.Client(base_url=application.url, params={"gate": str(gate)}) as client:
        taken = client.post("/reports/first")
        assert (taken.status_code, taken.json()) == (200, {"job_id": "first", "status": "pending"})
        refused = client.post("/reports/second")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        error = refused.json()["error"]
        assert (error["code"], error["data"]["domain_code"]) == (-32000, "QUEUE_FULL")
        assert error["data"]["retry_after_seconds"] == int(refused.headers["Retry-After"])
        assert "short" in error["message"]
        again = client.post("/reports/first")
        assert (again.status_code, again.json()["error"]["data"]["domain_code"]) == (409, "JOB_ALREADY_EXISTS")
        missing = client.get("/reports/second")
        assert (missing.status_code, missing.json()["error"]["data"]["domain_code"]) == (404, "JOB_NOT_FOUND")
        assert "Retry-After" not in missing.headers
        gate.open()
        application.ended("first")
        assert client.post("/reports/second").status_code == 200
