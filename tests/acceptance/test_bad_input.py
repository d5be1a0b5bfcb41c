"""What cannot be done is refused with a clear error, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.harness.server import Server

INVALID_PARAMS = -32602
REFUSED = -32000
ADD: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    "command",
    ["queue_start_job", "queue_stop_job", "queue_delete_job", "queue_get_job_status", "queue_get_job_logs"],
)
def test_an_unknown_job(server: Server, command: str) -> None:
    error = server.refusal(command, job_id="nobody")
    assert error["code"] == REFUSED
    assert error["data"]["domain_code"] == "JOB_NOT_FOUND"
    assert error["data"]["value"] == "nobody"


def test_a_wait_for_an_unknown_job_is_refused_at_once(server: Server) -> None:
    error = server.refusal("queue_get_job_status", job_id="nobody", wait_seconds=10)
    assert error["data"]["domain_code"] == "JOB_NOT_FOUND"


def test_an_id_that_is_taken(server: Server, job_id: str) -> None:
    server.add(job_id, **ADD, start=False)
    error = server.refusal("queue_add_job", job_type="command_execution", job_id=job_id, params=ADD)
    assert (error["code"], error["data"]["domain_code"]) == (REFUSED, "JOB_ALREADY_EXISTS")
    server.delete(job_id)


@pytest.mark.parametrize("command", ["queue_start_job", "queue_stop_job"])
def test_a_job_that_has_ended_neither_starts_nor_stops(server: Server, command: str) -> None:
    job_id = server.submit("add_numbers", a=1, b=2)
    server.completed(job_id)
    error = server.refusal(command, job_id=job_id)
    assert error["data"]["domain_code"] == "JOB_STATE_INVALID"
    assert error["data"]["current_status"] == "completed"
    assert server.completed(job_id) == {"sum": 3}


def test_an_unknown_command(server: Server, job_id: str) -> None:
    assert server.refusal("add_nubmers", a=1, b=2)["code"] == -32601
    error = server.refusal(
        "queue_add_job", job_type="command_execution", job_id=job_id, params={"command": "add_nubmers"}
    )
    assert error["code"] == INVALID_PARAMS
    assert "'add_nubmers'" in error["message"]
    assert job_id not in server.job_ids()


def test_an_unknown_job_type_is_told_which_there_are(server: Server, job_id: str) -> None:
    error = server.refusal("queue_add_job", job_type="dobule", job_id=job_id, params={})
    assert error["code"] == INVALID_PARAMS
    assert "double" in str(error)
    assert job_id not in server.job_ids()


@pytest.mark.parametrize("key", ["auto_import_modules", "hook_modules", "config_path", "context", "log_level"])
def test_a_client_decides_nothing_of_what_a_worker_imports(server: Server, job_id: str, key: str) -> None:
    error = server.refusal("queue_add_job", job_type="command_execution", job_id=job_id, params={**ADD, key: []})
    assert (error["code"], error["data"]["field"]) == (INVALID_PARAMS, key)
    assert job_id not in server.job_ids()


def test_other_job_types_own_their_parameters(server: Server, job_id: str) -> None:
    server.add(job_id, "hooks", config_path="mine", context=1)
    assert server.ended(job_id)["result"]["params"] == {"config_path": "mine", "context": 1}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"a": 1}, "b"),
        ({"a": "one", "b": 2}, "a"),
        ({"a": -1, "b": 2}, "a"),
        ({"a": 1, "b": 2, "c": 3}, "c"),
    ],
)
def test_parameters_that_fail_the_commands_schema(
    server: Server, job_id: str, params: dict[str, Any], field: str
) -> None:
    before = server.job_ids()
    direct = server.refusal("add_numbers", **params)
    added = server.refusal(
        "queue_add_job",
        job_type="command_execution",
        job_id=job_id,
        params={"command": "add_numbers", "params": params},
        start=True,
    )
    for error in (direct, added):
        assert error["code"] == INVALID_PARAMS
        assert field in error["message"]
    assert server.job_ids() == before


@pytest.mark.parametrize(
    ("command", "params", "field"),
    [
        ("queue_get_job_status", {"job_id": 7}, "job_id"),
        ("queue_get_job_status", {}, "job_id"),
        ("queue_get_job_status", {"job_id": ""}, "job_id"),
        ("queue_get_job_status", {"job_id": "x", "wait_seconds": 56}, "wait_seconds"),
        ("queue_get_job_status", {"job_id": "x", "wait_seconds": -1}, "wait_seconds"),
        ("queue_get_job_status", {"job_id": "x", "wait_seconds": "5"}, "wait_seconds"),
        ("queue_get_job_status", {"job_id": "x", "wait": 5}, "wait"),
        ("queue_list_jobs", {"cursor": "soon"}, "cursor"),
        ("queue_list_jobs", {"cursor": "-1"}, "cursor"),
        ("queue_list_jobs", {"limit": 1001}, "limit"),
        ("queue_list_jobs", {"limit": 0}, "limit"),
        ("queue_list_jobs", {"status_filter": "done"}, "status_filter"),
        ("queue_get_job_logs", {"job_id": "x", "cursor": "nowhere"}, "cursor"),
        ("queue_get_job_logs", {"job_id": "x", "stream": "stdin"}, "stream"),
        ("queue_stop_job", {"job_id": "x", "grace_seconds": -1}, "grace_seconds"),
        ("queue_add_job", {"job_type": "double", "job_id": "x"}, "params"),
        ("queue_add_job", {"job_type": "double", "job_id": "x", "params": [1]}, "params"),
        ("queue_add_job", {"job_type": "double", "job_id": "x", "params": {}, "start": "yes"}, "start"),
        ("queue_add_job", {"job_type": "double", "job_id": "x" * 201, "params": {}}, "job_id"),
        ("queue_add_job", {"job_type": "command_execution", "job_id": "x", "params": {}}, "command"),
        (
            "queue_add_job",
            {"job_type": "command_execution", "job_id": "x", "params": {"command": "add_numbers", "params": [1]}},
            "params",
        ),
    ],
)
def test_a_parameter_that_is_not_valid(server: Server, command: str, params: dict[str, Any], field: str) -> None:
    before = server.job_ids()
    error = server.refusal(command, **params)
    assert error["code"] == INVALID_PARAMS, error
    assert field in error["message"]
    assert server.job_ids() == before
