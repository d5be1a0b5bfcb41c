"""Commands that the adapter runs in the server's own process, handed over by its own code."""

from __future__ import annotations

import asyncio
import logging

import psutil
import pytest
from mcp_proxy_adapter.api import handlers
from mcp_proxy_adapter.api.handlers import command_execution
from mcp_proxy_adapter.commands.result import SuccessResult
from mcp_proxy_adapter.core.errors import CommandError
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id

LOGGER = logging.getLogger("test")


async def test_a_command_that_exceeds_the_adapters_cap_is_followed_in_our_queue(
    serving: QueueManagerIntegration,
) -> None:
    release = asyncio.Event()

    async def work() -> SuccessResult:
        await release.wait()
        return SuccessResult(data={"late": True})

    task = asyncio.ensure_future(work())
    answer = await command_execution._handle_sync_timeout_fallback(task, "slow", LOGGER)
    job_id = answer["job_id"]
    await until_known(serving, job_id)
    assert (await serving.get_job_status(job_id)).status == "running"
    release.set()
    ended = await serving.wait_job(job_id, 20)
    assert ended.status == "completed"
    assert ended.result["result"] == {"success": True, "data": {"late": True}}


async def test_an_end_that_a_lost_engine_has_not_recorded_is_reported_again(serving: QueueManagerIntegration) -> None:
    release = asyncio.Event()

    async def work() -> SuccessResult:
        await release.wait()
        return SuccessResult(data={"late": True})

    task = asyncio.ensure_future(work())
    job_id = (await command_execution._handle_sync_timeout_fallback(task, "slow", LOGGER))["job_id"]
    await until_known(serving, job_id)
    (engine,) = psutil.Process(serving.engine.pid).children()
    engine.suspend()
    release.set()
    await task
    # One more turn of the loop: the end is on its way.
    await asyncio.sleep(0)
    engine.kill()
    ended = await serving.wait_job(job_id, 20)
    assert (ended.status, ended.error) == ("completed", None)
    assert ended.result["result"] == {"success": True, "data": {"late": True}}


async def test_a_command_that_fails_beyond_the_cap_fails_in_our_queue(serving: QueueManagerIntegration) -> None:
    async def work() -> None:
        raise CommandError("no luck", data={"a": 1})

    task = asyncio.ensure_future(work())
    answer = await command_execution._handle_sync_timeout_fallback(task, "slow", LOGGER)
    await until_known(serving, answer["job_id"])
    ended = await serving.wait_job(answer["job_id"], 20)
    assert (ended.status, ended.error) == ("failed", "no luck")
    assert ended.result["result"]["error"]["data"] == {"a": 1}


async def test_a_command_that_is_cancelled_beyond_the_cap_is_stopped(serving: QueueManagerIntegration) -> None:
    task = asyncio.ensure_future(asyncio.sleep(3600))
    answer = await command_execution._handle_sync_timeout_fallback(task, "slow", LOGGER)
    await until_known(serving, answer["job_id"])
    task.cancel()
    assert (await serving.wait_job(answer["job_id"], 20)).status == "stopped"


async def until_known(manager: QueueManagerIntegration, job_id: str) -> None:
    async with asyncio.timeout(10):
        while job_id not in {job.job_id for job in await manager.list_jobs()}:
            pass


async def test_a_session_command_in_the_server_can_be_cancelled_and_another_cannot(
    serving: QueueManagerIntegration,
) -> None:
    session, fallback = new_job_id(), new_job_id()
    tasks = {job_id: asyncio.ensure_future(asyncio.sleep(3600)) for job_id in (session, fallback)}
    for job_id, task in tasks.items():
        serving.register_detached_fallback_job(job_id, "slow", task, cancellable=job_id == session)
        handlers._attach_detached_fallback_completion(task, serving, job_id, "slow", LOGGER)
        await until_known(serving, job_id)
    assert (await serving.stop_job(session)).status == "stopped"
    assert tasks[session].cancelled()
    stop = await serving.engine.stop_job(fallback, reason="enough", grace_seconds=0)
    assert (stop.job.state, stop.timed_out) == ("stopping", True)
    assert not tasks[fallback].done()
    tasks[fallback].cancel()
    assert (await serving.wait_job(fallback, 20)).status == "stopped"


async def test_results_in_the_server_that_are_not_json_fail_the_job(serving: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    serving.register_detached_fallback_job(job_id, "odd")
    serving.publish_detached_fallback_result(job_id, "odd", {"data": {"when": object()}})
    serving.publish_detached_fallback_error(job_id, "odd", "a second end is passed over")
    await until_known(serving, job_id)
    ended = await serving.wait_job(job_id, 20)
    assert (ended.status, ended.error) == ("failed", "result.result.data.when is not JSON: a value of type object")


async def test_publishing_what_is_not_known_changes_nothing(serving: QueueManagerIntegration) -> None:
    serving.publish_detached_fallback_stopped("nobody", "x")
    with pytest.raises(QueueJobError) as refusal:
        await serving.get_job_status("nobody")
    assert refusal.value.kind == "not_found"


async def test_an_end_after_the_queue_has_stopped_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    manager = QueueManagerIntegration(max_concurrent_jobs=1, shutdown_timeout=0.0)
    await manager.open()
    manager.register_detached_fallback_job("a", "slow")
    await manager.stop()
    manager.publish_detached_fallback_stopped("a", "slow")
    assert "has stopped before job a ended" in caplog.text
