"""The queue's commands, run as the adapter runs them, over a real queue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.queue import QUEUE_COMMAND_CLASSES

from mcp_queue_plugin.adapter import waits
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from tests.unit.commands.asking import add, ask, ended, refused, running

RECORD_KEYS = {
    "job_id", "job_type", "command", "queue", "status", "phase", "version", "progress", "description", "step",
    "reason", "error", "error_info", "questions", "attempt", "created_at", "started_at", "completed_at",
    "poll_after_seconds", "has_result", "has_error", "result", "job_success", "command_execution", "command_name",
    "command_success", "inner_success", "completed_with_error", "native_completed_with_error",
}  # fmt: skip


OWN_COMMANDS = {
    "queue_wait_job",
    "queue_get_job_result",
    "queue_retry_job",
    "queue_answer_job",
    "queue_pause",
    "queue_resume",
}


def test_the_catalog_holds_the_adapters_eight_names_and_our_own() -> None:
    assert set(QUEUE_COMMANDS) == {command.name for command in QUEUE_COMMAND_CLASSES} | OWN_COMMANDS


@pytest.mark.parametrize("name", sorted(QUEUE_COMMANDS))
def test_schemas_are_closed_and_described(name: str) -> None:
    command = QUEUE_COMMANDS[name]
    schema = command.get_schema()
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert set(schema["required"]) <= set(schema["properties"])
    for field, declared in schema["properties"].items():
        if field != "value":
            assert declared["type"] in {"string", "integer", "number", "boolean", "object"}, field
        assert declared["description"], field
        assert declared.get("minimum", 0) <= declared.get("maximum", 1 << 60)
        assert len(declared.get("enum", ["any"])) == len(set(declared.get("enum", ["any"])))
    assert command.get_result_schema()["type"] == "object"
    assert command.descr
    assert command.use_queue is False


@pytest.mark.parametrize("theirs", QUEUE_COMMAND_CLASSES, ids=lambda command: command.name)
def test_the_schemas_take_all_that_the_adapters_take(theirs: type[Command]) -> None:
    ours = QUEUE_COMMANDS[theirs.name].get_schema()
    # The adapter declares a ``command`` beside ``params`` and never reads it: it takes the one in ``params``.
    assert set(theirs.get_schema()["properties"]) - {"command"} <= set(ours["properties"])
    assert set(ours["required"]) == set(theirs.get_schema().get("required", []))


def test_the_schema_names_the_registered_types() -> None:
    assert {"command_execution", "rows"} <= set(
        QUEUE_COMMANDS["queue_add_job"].get_schema()["properties"]["job_type"]["enum"]
    )


async def test_a_job_from_its_adding_to_its_deletion() -> None:
    job_id = new_job_id()
    added = await ask("queue_add_job", job_type="rows", job_id=job_id, params={"do": "result"})
    assert (added["status"], added["phase"], added["version"] > 0) == ("pending", "created", True)
    assert (added["store"], added["poll_with"]) == ("queuemgr", "queue_get_job_status")
    assert set(added) >= RECORD_KEYS
    started = await ask("queue_start_job", job_id=job_id)
    assert started["message"] == f"Job {job_id} started successfully"
    record = await ended(job_id)
    assert (record["status"], record["phase"], record["result"]["rows"]) == ("completed", None, 3)
    assert (record["job_success"], record["progress"], record["poll_after_seconds"]) == (True, 100, 0.0)
    deleted = await ask("queue_delete_job", job_id=job_id)
    assert (deleted["status"], deleted["deleted_confirmed"]) == ("deleted", True)
    assert (await ask("queue_get_job_status", job_id=job_id))["status"] == "deleted"


async def test_a_command_job_tells_its_commands_success() -> None:
    outcomes = {}
    for command in ("sample_echo", "sample_refuse", "sample_raise"):
        job_id = new_job_id()
        params: dict[str, Any] = {"command": command, "params": {}}
        await ask("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True)
        record = await ended(job_id)
        (listed,) = [row for row in (await ask("queue_list_jobs", command=command))["jobs"] if row["job_id"] == job_id]
        fields = ("job_success", "command_success", "completed_with_error", "command_name")
        assert [listed[field] for field in fields[:3]] == [record[field] for field in fields[:3]]
        outcomes[command] = (record["status"], record["job_success"], record["command_success"] is True)
    assert outcomes == {
        "sample_echo": ("completed", True, True),
        "sample_refuse": ("completed", True, False),
        "sample_raise": ("failed", False, False),
    }


async def test_a_pending_job_may_be_started_again_and_again(tmp_path: Path) -> None:
    release = tmp_path / "release"
    holders = [new_job_id() for _ in range(2)]
    for job_id in holders:
        params = {"command": "sample_hold", "params": {"path": str(release)}}
        await ask("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True)
        await running(job_id)
    waiting = await add()
    for _ in range(3):
        assert (await ask("queue_start_job", job_id=waiting))["phase"] == "queued"
    error = await refused("queue_start_job", job_id=holders[0])
    assert error["code"] == -32000
    assert error["data"] == {
        "domain_code": "JOB_STATE_INVALID",
        "field": "job_id",
        "value": holders[0],
        "store": "queuemgr",
        "action": "start",
        "current_status": "running",
        "allowed_statuses": ["pending"],
    }
    release.touch()
    await ended(waiting)
    finished = await refused("queue_start_job", job_id=waiting)
    assert (finished["data"]["domain_code"], finished["data"]["current_status"]) == ("JOB_STATE_INVALID", "completed")


async def test_an_id_is_taken_once() -> None:
    job_id = await add()
    error = await refused("queue_add_job", job_type="rows", job_id=job_id, params={"do": "nothing"})
    assert error["data"]["domain_code"] == "JOB_ALREADY_EXISTS"


async def test_a_stop_says_what_has_become_of_the_job() -> None:
    waiting = await ask("queue_stop_job", job_id=await add())
    assert (waiting["status"], waiting["stopped"], waiting["reason"]) == ("stopped", True, "stopped by request")
    job_id = await add("long", start=True)
    await running(job_id)
    stopped = await ask("queue_stop_job", job_id=job_id)
    assert (stopped["status"], stopped["requested_status"]) == ("stopped", "stopped")
    assert stopped["message"] == f"Job {job_id} stopped successfully"
    error = await refused("queue_stop_job", job_id=job_id)
    assert (error["data"]["domain_code"], error["data"]["action"]) == ("JOB_STATE_INVALID", "stop")


async def test_a_deaf_job_is_stopped_by_force_after_the_given_grace(tmp_path: Path) -> None:
    job_id = new_job_id()
    params = {"command": "sample_hold", "params": {"path": str(tmp_path / "never")}}
    await ask("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True)
    await running(job_id)
    assert (await ask("queue_stop_job", job_id=job_id, grace_seconds=0))["status"] == "stopped"


@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_a_job_that_has_not_let_go_below_the_servers_cap_is_answered_as_it_stands(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adapter would answer with the id of another job, that of the stop itself."""
    job_id, release = new_job_id(), tmp_path / "release"
    params = {"command": "sample_hold", "params": {"path": str(release)}}
    await ask("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True)
    await running(job_id)
    monkeypatch.setattr(waits, "synchronous_cap_seconds", lambda: 1.05)
    answer = await ask(f"queue_{verb}_job", job_id=job_id, grace_seconds=3600)
    assert (answer["status"], answer["phase"], answer["actual_status"]) == ("running", "stopping", "running")
    assert answer["message"] == f"{verb.capitalize()} requested for job {job_id}, actual status is running"
    facts = (
        {"stop_requested": True, "requested_status": "stopped", "stopped": False}
        if verb == "stop"
        else {"deleted_confirmed": False}
    )
    assert answer.items() >= facts.items()
    release.touch()
    if verb == "stop":
        assert (await ended(job_id))["status"] == "stopped"
    else:
        assert (await ask("queue_delete_job", job_id=job_id))["status"] == "deleted"


async def test_a_running_job_is_deleted_at_once() -> None:
    job_id = await add("long", start=True)
    await running(job_id)
    deleted = await ask("queue_delete_job", job_id=job_id)
    assert (deleted["status"], deleted["message"]) == ("deleted", f"Job {job_id} deleted successfully")


async def test_a_wait_ends_with_the_next_change_or_says_that_none_came(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = await add()
    idle = await ask("queue_get_job_status", job_id=job_id, wait_seconds=0.01)
    assert (idle["timed_out"], idle["phase"]) == (True, "created")
    assert "wait_capped_seconds" not in idle
    wait = asyncio.create_task(ask("queue_get_job_status", job_id=job_id, wait_seconds=20))
    await asyncio.sleep(0)
    await ask("queue_stop_job", job_id=job_id)
    changed = await wait
    assert (changed["timed_out"], changed["status"]) == (False, "stopped")


async def test_a_wait_is_cut_below_the_servers_cap_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "synchronous_cap_seconds", lambda: 1.05)
    answer = await ask("queue_get_job_status", job_id=await add(), wait_seconds=30)
    assert answer["wait_capped_seconds"] == pytest.approx(0.05)
    assert answer["timed_out"] is True


async def test_logs_come_in_pages_by_stream_and_from_their_end() -> None:
    job_id = new_job_id()
    params = {"command": "sample_echo", "params": {"value": "\n".join("abc")}}
    await ask("queue_add_job", job_type="command_execution", job_id=job_id, params=params, start=True)
    await ended(job_id)
    whole = await ask("queue_get_job_logs", job_id=job_id, stream="stdout")
    assert (whole["stdout"], whole["stdout_lines"], whole["dropped_lines"]) == (["echo a", "b", "c"], 3, 0)
    assert [entry["line"] for entry in whole["entries"]] == whole["stdout"]
    assert whole["entries"][0]["written_at"].endswith("Z")
    first = await ask("queue_get_job_logs", job_id=job_id, stream="stdout", limit=2)
    rest = await ask("queue_get_job_logs", job_id=job_id, stream="stdout", cursor=first["next_cursor"])
    assert first["stdout"] + rest["stdout"] == whole["stdout"]
    tail = await ask("queue_get_job_logs", job_id=job_id, stream="stdout", tail=True, limit=1)
    assert tail["stdout"] == ["c"]


async def test_a_wait_for_lines_is_cut_below_the_servers_cap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "synchronous_cap_seconds", lambda: 1.05)
    answer = await ask("queue_get_job_logs", job_id=await add(), wait_seconds=30)
    assert answer["wait_capped_seconds"] == pytest.approx(0.05)
    assert answer["entries"] == []
    assert "wait_capped_seconds" not in await ask("queue_get_job_logs", job_id=answer["job_id"], wait_seconds=0)


async def test_lists_come_in_pages_and_by_what_was_asked_for() -> None:
    job_ids = [await add() for _ in range(5)]
    page = await ask("queue_list_jobs", job_type="rows", status_filter="pending", limit=2)
    assert [row["job_id"] for row in page["jobs"]] == job_ids[:2:-1]
    assert (page["total_count"] >= 5, page["limit"], page["status_filter"]) == (True, 2, "pending")
    following = await ask("queue_list_jobs", job_type="rows", limit=2, cursor=page["next_cursor"])
    assert [row["job_id"] for row in following["jobs"]] == job_ids[2:0:-1]
    assert "result" not in page["jobs"][0]
    oldest = await ask("queue_list_jobs", order="oldest", limit=1)
    assert oldest["jobs"][0]["job_id"] not in job_ids
    assert (await ask("queue_list_jobs", queue="nowhere")) == {
        "jobs": [],
        "total_count": 0,
        "status_filter": None,
        "limit": 100,
        "next_cursor": None,
    }


async def test_the_dead_are_listed_only_when_they_are_asked_for() -> None:
    job_id = await add()
    await ask("queue_delete_job", job_id=job_id)
    listed = [
        {row["job_id"] for row in (await ask("queue_list_jobs", **how))["jobs"]}
        for how in ({}, {"status_filter": "deleted"})
    ]
    assert [job_id in ids for ids in listed] == [False, True]


async def test_health_tells_that_all_is_well() -> None:
    report = await ask("queue_health")
    assert (report["status"], report["running"], report["max_concurrent_jobs"]) == ("healthy", True, 2)
