"""How the queue's commands say no: by a code, a name and a reason, with nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.core.errors import ValidationError

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import SERVER_PARAMS, new_job_id, register_job_type
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from tests.unit.adapter.sample_jobs import AdapterSubclassJob, LoudCommandJob
from tests.unit.commands.asking import ask, refused, run


@pytest.mark.parametrize(
    "name", ["queue_start_job", "queue_stop_job", "queue_delete_job", "queue_get_job_status", "queue_get_job_logs"]
)
async def test_an_unknown_job_is_refused_by_its_domain_code(name: str) -> None:
    error = await refused(name, job_id="nobody")
    assert (error["code"], error["data"]["domain_code"], error["data"]["value"]) == (-32000, "JOB_NOT_FOUND", "nobody")


@pytest.mark.parametrize(
    "name", ["queue_start_job", "queue_stop_job", "queue_delete_job", "queue_get_job_status", "queue_get_job_logs"]
)
async def test_an_id_that_no_job_can_have_is_refused_too(name: str) -> None:
    try:
        result = await run(name, job_id="\ud800")
    except ValidationError:
        return
    assert result.to_dict()["error"]["data"]["domain_code"] == "JOB_NOT_FOUND"


@pytest.mark.parametrize(
    ("name", "params", "field"),
    [
        ("queue_add_job", {"job_type": "no such", "job_id": "x", "params": {}}, "job_type"),
        ("queue_add_job", {"job_type": "rows", "job_id": "", "params": {}}, "job_id"),
        ("queue_add_job", {"job_type": "rows", "job_id": "  ", "params": {}}, "job_id"),
        ("queue_add_job", {"job_type": "rows", "job_id": "x" * 201, "params": {}}, "job_id"),
        ("queue_add_job", {"job_type": "rows", "job_id": "x", "params": []}, "params"),
        ("queue_add_job", {"job_type": "rows", "job_id": "x"}, "params"),
        ("queue_add_job", {"job_type": "command_execution", "job_id": "x", "params": {}}, "command"),
        ("queue_add_job", {"job_type": "command_execution", "job_id": "x", "params": {"command": "no"}}, "command"),
        (
            "queue_add_job",
            {"job_type": "command_execution", "job_id": "x", "params": {"command": "sample_echo", "params": []}},
            "params.params",
        ),
        (
            "queue_add_job",
            {
                "job_type": "command_execution",
                "job_id": "x",
                "params": {"command": "sample_echo", "params": {"value": 7}},
            },
            "value",
        ),
        ("queue_get_job_status", {"job_id": "x", "wait_seconds": 56}, "wait_seconds"),
        ("queue_get_job_status", {"job_id": "x", "known_version": -1}, "known_version"),
        ("queue_get_job_status", {"job_id": "x", "wait_for": "start"}, "wait_for"),
        ("queue_get_job_status", {"job_id": 7}, "job_id"),
        ("queue_get_job_logs", {"job_id": "x", "stream": "stdin"}, "stream"),
        ("queue_get_job_logs", {"job_id": "x", "limit": 1001}, "limit"),
        ("queue_get_job_logs", {"job_id": "x", "cursor": "two"}, "cursor"),
        ("queue_answer_job", {"job_id": "x", "value": 1}, "key"),
        ("queue_answer_job", {"job_id": "x", "key": "k" * 201, "value": 1}, "key"),
        ("queue_answer_job", {"job_id": "x", "key": "first"}, "value"),
        ("queue_answer_job", {"job_id": "x", "key": "first", "value": 1, "action": "cancel"}, "value"),
        ("queue_answer_job", {"job_id": "x", "key": "first", "action": "yes"}, "action"),
        (
            "queue_answer_job",
            {"job_id": "x", "key": "first", "value": {"deep": [[[]]] * 9, "x": float("nan")}},
            "value",
        ),
        ("queue_list_jobs", {"cursor": "-1"}, "cursor"),
        ("queue_list_jobs", {"cursor": "9" * 30}, "cursor"),
        ("queue_list_jobs", {"status_filter": "lost"}, "status_filter"),
        ("queue_list_jobs", {"limit": 0}, "limit"),
        ("queue_stop_job", {"job_id": "x", "grace_seconds": -1}, "grace_seconds"),
    ],
)
async def test_a_parameter_that_is_not_valid_is_refused_by_its_name(
    name: str, params: dict[str, Any], field: str
) -> None:
    before = (await ask("queue_list_jobs"))["total_count"]
    with pytest.raises(ValidationError) as refusal:
        await run(name, **params)
    assert refusal.value.code == -32602
    assert field in str(refusal.value.data) or field in refusal.value.message
    assert (await ask("queue_list_jobs"))["total_count"] == before


@pytest.mark.parametrize("key", SERVER_PARAMS)
async def test_a_client_can_never_choose_what_a_worker_imports(key: str) -> None:
    params = {"command": "sample_echo", "params": {}, key: "x"}
    with pytest.raises(ValidationError) as refusal:
        await run("queue_add_job", job_type="command_execution", job_id=new_job_id(), params=params)
    assert refusal.value.data["field"] == key
    job_id = new_job_id()
    await ask("queue_add_job", job_type="rows", job_id=job_id, params={"do": "nothing", key: "x"})


@pytest.mark.parametrize(
    "job_class", [CommandExecutionJob, AdapterCommandExecutionJob, LoudCommandJob, AdapterSubclassJob]
)
async def test_no_name_for_a_command_job_opens_a_way_around(job_class: type[CommandExecutionJob]) -> None:
    register_job_type("cmd", job_class)
    for params, field in (
        ({"command": "sample_echo", "auto_import_modules": ["antigravity"]}, "auto_import_modules"),
        ({"command": "no such"}, "command"),
        ({"command": "sample_echo", "params": {"value": 7}}, "value"),
    ):
        with pytest.raises(ValidationError) as refusal:
            await run("queue_add_job", job_type="cmd", job_id=new_job_id(), params=params)
        assert refusal.value.code == -32602
        assert field in str(refusal.value.data) or field in refusal.value.message
    added = await ask("queue_add_job", job_type="cmd", job_id=new_job_id(), command="sample_echo", params={})
    assert added["command"] == "sample_echo"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "nul\0"], ids=ascii)
@pytest.mark.parametrize("field", ["queue", "job_type", "command", "cursor"])
async def test_a_text_that_no_record_can_hold_is_refused_by_its_name(field: str, text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        await run("queue_list_jobs", **{field: text})
    assert refusal.value.code == -32602
    assert field in str(refusal.value.data)
    json.dumps(refusal.value.to_dict(), ensure_ascii=False).encode()


async def test_a_command_that_no_registry_can_hold_is_refused_in_words_that_can_be_sent() -> None:
    with pytest.raises(ValidationError) as refusal:
        await run("queue_add_job", job_type="command_execution", job_id=new_job_id(), params={"command": "\ud800"})
    assert refusal.value.data["field"] == "command"
    json.dumps(refusal.value.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize("name", sorted(QUEUE_COMMANDS))
async def test_without_a_queue_every_command_says_why(name: str) -> None:
    params: dict[str, dict[str, Any]] = {
        "queue_add_job": {"job_type": "rows", "job_id": "x", "params": {}},
        "queue_list_jobs": {},
        "queue_health": {},
        "queue_pause": {"queue": "default"},
        "queue_resume": {"queue": "default"},
        "queue_answer_job": {"job_id": "x", "key": "first", "value": 1},
    }
    for manager, domain_code in ((None, "QUEUE_DISABLED"), (QueueManagerIntegration(), "ENGINE_UNAVAILABLE")):
        server.set_global_manager(manager)
        error = await refused(name, **params.get(name, {"job_id": "x"}))
        assert (error["code"], error["data"]["domain_code"]) == (-32000, domain_code)
