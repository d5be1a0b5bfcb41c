"""What the queues have promised holds over ``kill -9`` and a restart: times, pauses, retries and idempotency keys."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.configuration import APP, MODULES, write_configuration
from tests.acceptance.harness.server import Server

ADD: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 2}}
DELAY_SECONDS = 2.0
LONG_SECONDS = 3600


def add(server: Server, job_id: str, params: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return server.data(
        "queue_add_job", job_type="command_execution", job_id=job_id, params=params or ADD, start=True, **options
    )


def test_times_pauses_retries_and_keys_hold_over_a_kill(start: StartServer, tmp_path: Path) -> None:
    config = write_configuration(
        tmp_path,
        queue_plugin={
            "queues": {"aside": {}, "llm": {"max_concurrent_jobs": 1, "min_pause_seconds": LONG_SECONDS}},
            "job_defaults": {"retry_base_seconds": LONG_SECONDS, "retry_max_seconds": LONG_SECONDS},
        },
        modules=(*MODULES, f"{APP}.queueing"),
    )
    server = start(config)
    soon = add(server, "soon", delay_seconds=DELAY_SECONDS)
    late = add(server, "late", run_at="2099-12-31T00:00:00+00:00")
    assert add(server, "keyed", idempotency_key="k")["job_id"] == "keyed"
    server.completed("keyed")
    server.data("queue_pause", queue="aside")
    add(server, "in a paused queue", queue="aside", priority=3)
    model = server.submit("ask_model")
    server.completed(model)
    next_model = server.submit("ask_model")
    add(server, "failing", {"command": "raise_error", "params": {}}, max_retries=1)
    failing = server.wait("failing", lambda record: record["phase"] == "scheduled")

    server.kill()

    server = start(config)
    assert add(server, "keyed again", idempotency_key="k")["job_id"] == "keyed"
    refused = server.refusal(
        "queue_add_job",
        job_type="command_execution",
        job_id="x",
        params={"command": "add_numbers", "params": {"a": 9, "b": 9}},
        idempotency_key="k",
    )
    assert refused["data"]["domain_code"] == "IDEMPOTENCY_CONFLICT"

    assert server.completed("soon") == {"sum": 3}
    started = datetime.fromisoformat(server.status("soon")["started_at"])
    assert started >= datetime.fromisoformat(soon["due_at"])
    assert server.status("late")["due_at"] == late["due_at"] == "2099-12-31T00:00:00.000Z"
    waiting = server.status("failing")
    assert (waiting["phase"], waiting["attempt"], waiting["retries"]) == ("scheduled", 1, 1)
    assert waiting["due_at"] == failing["due_at"]

    queues = server.health()["queues"]
    assert queues["aside"]["paused"]
    assert queues["llm"]["opens_in_seconds"] > LONG_SECONDS - 600
    assert (queues["llm"]["processed_total"], queues["llm"]["pending"]) == (1, 1)
    assert server.status("in a paused queue")["phase"] == "queued"
    assert server.status(next_model)["phase"] == "queued"
    server.data("queue_resume", queue="aside")
    assert server.completed("in a paused queue") == {"sum": 3}
