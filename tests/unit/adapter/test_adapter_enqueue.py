"""How a ``use_queue`` command becomes a job, called as the adapter calls it."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp_proxy_adapter.api import command_session_service, handlers
from mcp_proxy_adapter.core.errors import CommandError, ValidationError
from mcp_proxy_adapter.core.errors import TimeoutError as AdapterTimeoutError
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError

from mcp_queue_plugin.adapter import enqueue
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.errors import EngineNotRunning, QueueDisabled
from tests.unit.adapter.sample_jobs import AdapterJob

LOGGER = logging.getLogger("test")
sessions: Any = command_session_service


async def queue(command: str, params: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
    """Queue a command as the adapter does, which looks the function up when it is called."""
    settings = {"poll_interval": None, "max_wait_time": None, **how}
    answer: dict[str, Any] = await handlers._enqueue_command(command, params or {}, {}, LOGGER, **settings)
    return answer


async def test_a_queued_command_is_stored_and_started_before_the_answer(serving: QueueManagerIntegration) -> None:
    enqueue.install()
    answer = await queue("sample_echo", {"value": "x", "poll_interval": 0, "max_wait_time": 1})
    assert answer.pop("message").startswith("Command 'sample_echo' has been queued for execution")
    job_id = answer.pop("job_id")
    assert answer == {
        "success": True,
        "status": "pending",
        "store": "queuemgr",
        "poll_with": "queue_get_job_status",
        "phase": "queued",
        "queue_position": 1,
        "estimated_wait_seconds": 0.0,
        "poll_after_seconds": 0.5,
    }
    assert (await serving.wait_job(job_id, 20)).result["result"]["data"]["value"] == "x"


async def test_the_adapters_dispatcher_queues_through_us(serving: QueueManagerIntegration) -> None:
    import_module("tests.unit.adapter.sample_commands")
    enqueue.install()
    answer = await handlers.execute_command("sample_echo", {"value": "y"})
    assert (await serving.wait_job(answer["job_id"], 20)).result["result"]["data"]["value"] == "y"


@pytest.mark.parametrize(
    ("command", "success", "status"),
    [("sample_echo", True, "completed"), ("sample_refuse", True, "completed"), ("sample_raise", False, "failed")],
)
async def test_a_caller_may_wait_for_the_end(
    serving: QueueManagerIntegration, command: str, success: bool, status: str
) -> None:
    enqueue.install()
    answer = await queue(command, poll_interval=0.5, max_wait_time=20)
    assert (answer["success"], answer["status"]) == (success, status)
    assert ("error" in answer) is (status == "failed")
    if status == "failed":
        assert answer["error"] == "plain trouble"
    else:
        assert answer["result"]["command"] == command


async def test_a_wait_that_is_too_short_ends_with_the_adapters_timeout(
    serving: QueueManagerIntegration, tmp_path: Path
) -> None:
    enqueue.install()
    release = tmp_path / "release"
    with pytest.raises(AdapterTimeoutError) as timeout:
        await queue("sample_hold", {"path": str(release)}, poll_interval=0.1, max_wait_time=0.1)
    release.touch()
    assert (await serving.wait_job(timeout.value.data["job_id"], 20)).status == "completed"


async def test_a_queue_that_is_not_there_is_told_by_its_reason(serving: QueueManagerIntegration) -> None:
    enqueue.install()
    server.set_global_manager(None)
    with pytest.raises(QueueDisabled):
        enqueue.running_manager()
    with pytest.raises(CommandError) as refusal:
        await queue("sample_echo")
    assert refusal.value.data["domain_code"] == "QUEUE_DISABLED"
    server.set_global_manager(QueueManagerIntegration())
    with pytest.raises(EngineNotRunning):
        enqueue.running_manager()
    with pytest.raises(QueueJobError, match="not running"):
        await sessions.get_global_queue_manager()


async def test_parameters_that_are_not_json_are_refused_and_nothing_is_stored(
    serving: QueueManagerIntegration,
) -> None:
    enqueue.install()
    before = len(await serving.list_jobs())
    with pytest.raises(ValidationError) as refusal:
        await queue("sample_echo", {"value": object()})
    assert refusal.value.data["field"] == "params.params.value"
    assert len(await serving.list_jobs()) == before


async def test_a_sessions_job_is_queued_when_it_is_added(serving: QueueManagerIntegration) -> None:
    enqueue.install()
    manager: Any = await sessions.get_global_queue_manager()
    job_id = new_job_id()
    command_job: Any = sessions.CommandExecutionJob
    await manager.add_job(command_job, job_id, {"command": "sample_echo", "params": {"value": "ws"}})
    assert (await serving.wait_job(job_id, 20)).status == "completed"
    other = new_job_id()
    await manager.add_job(AdapterJob, other, {"do": "nothing"})
    assert (await manager.get_job_status(other)).status == "pending"
