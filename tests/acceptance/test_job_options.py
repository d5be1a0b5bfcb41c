"""How a job is to be run: what its class says, what a client may say, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness.client import Record
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate

INVALID_PARAMS = -32602
ADD: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 2}}
DELAY_SECONDS = 0.5


def add(server: Server, job_id: str, params: dict[str, Any] | None = None, **options: Any) -> Record:
    """Hand in and start a command's job with options."""
    return server.data(
        "queue_add_job", job_type="command_execution", job_id=job_id, params=params or ADD, start=True, **options
    )


def moment(record: Record, name: str) -> datetime:
    return datetime.fromisoformat(record[name])


def test_a_command_says_how_it_is_to_be_run_and_a_client_goes_before_it(
    application: Server, tmp_path: Path, gate: Gate
) -> None:
    gate.open()
    model = application.status(application.submit("ask_model", gate=str(gate)))
    assert (model["queue"], model["priority"], model["max_retries"]) == ("llm", 0, 0)
    path = str(tmp_path / "runs")
    persevering = application.submit("persevere", path=path, runs=3)
    assert application.completed(persevering) == {"attempt": 3}
    record = application.status(persevering)
    assert (record["queue"], record["priority"], record["max_retries"], record["retries"]) == ("default", 3, 2, 2)
    params = {"command": "persevere", "params": {"path": path, "runs": 9}}
    add(application, "hasty", params, max_retries=0, queue="aside")
    record = application.ended("hasty")
    assert (record["status"], record["attempt"]) == ("failed", 1)
    assert (record["queue"], record["priority"], record["max_retries"]) == ("aside", 3, 0)
    application.ended(model["job_id"])


def test_a_job_class_says_how_it_is_to_be_run_and_a_client_goes_before_it(application: Server, job_id: str) -> None:
    record = application.add(job_id, "aside", start=False, word="hello")
    assert (record["queue"], record["priority"], record["max_retries"]) == ("aside", -1, 1)
    application.delete(job_id)
    other = application.data("queue_add_job", job_type="aside", job_id=job_id, params={}, queue="default", priority=4)
    assert (other["queue"], other["priority"], other["max_retries"]) == ("default", 4, 1)
    application.delete(job_id)


def test_a_client_says_everything_about_one_job(application: Server, job_id: str) -> None:
    record = add(
        application,
        job_id,
        queue="aside",
        priority=7,
        delay_seconds=3600,
        timeout_seconds=60,
        max_retries=4,
        idempotency_key="everything",
    )
    assert {name: record[name] for name in ("queue", "priority", "max_retries", "status", "phase")} == {
        "queue": "aside",
        "priority": 7,
        "max_retries": 4,
        "status": "pending",
        "phase": "scheduled",
    }
    assert (moment(record, "due_at") - moment(record, "created_at")).total_seconds() == pytest.approx(3600, abs=1)
    assert record["estimated_wait_seconds"] == pytest.approx(3600, abs=5)
    application.delete(job_id)


def test_a_delay_begins_with_the_start(application: Server, job_id: str) -> None:
    added = application.data(
        "queue_add_job", job_type="command_execution", job_id=job_id, params=ADD, delay_seconds=DELAY_SECONDS
    )
    assert (added["phase"], added["due_at"]) == ("created", None)
    started = application.data("queue_start_job", job_id=job_id)
    assert (started["status"], started["phase"]) == ("pending", "scheduled")
    record = application.ended(job_id)
    assert (record["status"], record["due_at"]) == ("completed", None)
    assert moment(record, "started_at") >= moment(started, "due_at")


def test_a_time_is_given_with_any_offset(application: Server, job_id: str) -> None:
    noon = datetime.now(UTC) + timedelta(seconds=DELAY_SECONDS)
    record = add(application, job_id, run_at=noon.astimezone().isoformat())
    assert (record["phase"], abs(moment(record, "due_at") - noon) < timedelta(milliseconds=2)) == ("scheduled", True)
    assert moment(application.ended(job_id), "started_at") >= noon - timedelta(milliseconds=2)


def test_a_time_that_has_passed_is_now(application: Server, job_id: str) -> None:
    assert add(application, job_id, run_at="2020-01-31T12:00:00Z")["phase"] == "queued"
    assert application.completed(job_id) == {"sum": 3}


def test_higher_priority_goes_first(application: Server, gate: Gate) -> None:
    application.data("queue_pause", queue="aside")
    for name, priority in (("low", -1), ("middle", 0), ("high", 9)):
        add(application, f"{name} priority", queue="aside", priority=priority)
    rows = application.data("queue_list_jobs", queue="aside", status_filter="pending")["jobs"]
    assert [row["queue_position"] for row in sorted(rows, key=lambda row: -row["priority"])] == [1, 2, 3]
    application.data("queue_resume", queue="aside")
    ended = [application.ended(f"{name} priority") for name in ("high", "middle", "low")]
    started = [moment(record, "started_at") for record in ended]
    assert started == sorted(started)


def test_the_same_key_gives_the_same_job_as_long_as_the_rest_is_the_same(application: Server) -> None:
    first = add(application, "idempotent-1", idempotency_key="k")
    again = add(application, "idempotent-2", idempotency_key="k")
    assert again["job_id"] == first["job_id"] == "idempotent-1"
    assert application.completed("idempotent-1") == {"sum": 3}
    ended = add(application, "idempotent-3", idempotency_key="k")
    assert (ended["job_id"], ended["status"]) == ("idempotent-1", "completed")
    other = application.refusal(
        "queue_add_job",
        job_type="command_execution",
        job_id="idempotent-4",
        params={"command": "add_numbers", "params": {"a": 1, "b": 3}},
        idempotency_key="k",
    )
    assert (other["code"], other["data"]["domain_code"]) == (-32000, "IDEMPOTENCY_CONFLICT")
    assert other["data"]["existing_job_id"] == "idempotent-1"
    assert (other["data"]["field"], other["data"]["value"]) == ("idempotency_key", "k")
    assert add(application, "idempotent-5", idempotency_key="another")["job_id"] == "idempotent-5"
    assert application.add("idempotent-6", "aside")["job_id"] == "idempotent-6"
    application.delete("idempotent-1")
    assert add(application, "idempotent-7", idempotency_key="k")["job_id"] == "idempotent-7"
    application.ended("idempotent-7")


def test_what_a_job_type_calls_context_is_its_own_and_makes_submissions_differ(application: Server) -> None:
    for number in (1, 2):
        params = {"context": number}
        add_context = {"job_type": "aside", "job_id": f"context {number}", "params": params, "idempotency_key": "c"}
        if number == 1:
            assert application.data("queue_add_job", **add_context)["job_id"] == "context 1"
        else:
            assert application.refusal("queue_add_job", **add_context)["data"]["domain_code"] == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("queue", "lmm"),
        ("queue", ""),
        ("queue", 7),
        ("priority", "high"),
        ("priority", 1.5),
        ("priority", True),
        ("priority", 10**12),
        ("delay_seconds", -1),
        ("delay_seconds", "soon"),
        ("delay_seconds", 1e300),
        ("run_at", "2030-01-31T12:00:00"),
        ("run_at", "tomorrow"),
        ("run_at", 0),
        ("timeout_seconds", 0),
        ("timeout_seconds", -3),
        ("max_retries", 1.5),
        ("max_retries", -1),
        ("max_retries", "many"),
        ("idempotency_key", ""),
        ("idempotency_key", "k" * 201),
        ("idempotency_key", 7),
        ("isolation", "fresh"),
        ("retry_on", ["OSError"]),
    ],
)
def test_an_option_that_is_not_valid_is_refused_by_its_name(
    server: Server, job_id: str, field: str, value: object
) -> None:
    error = server.refusal("queue_add_job", job_type="command_execution", job_id=job_id, params=ADD, **{field: value})
    assert error["code"] == INVALID_PARAMS, error
    assert field in error["message"]
    assert job_id not in server.job_ids()


def test_a_time_and_a_delay_together_are_refused(server: Server, job_id: str) -> None:
    error = server.refusal(
        "queue_add_job",
        job_type="command_execution",
        job_id=job_id,
        params=ADD,
        delay_seconds=1,
        run_at="2030-01-31T12:00:00Z",
    )
    assert (error["code"], error["data"]["field"]) == (INVALID_PARAMS, "run_at")
    assert job_id not in server.job_ids()


def test_options_are_not_parameters_of_a_command(server: Server) -> None:
    error = server.refusal("add_numbers", a=1, b=2, priority=9)
    assert error["code"] == INVALID_PARAMS
    assert "priority" in error["message"]
