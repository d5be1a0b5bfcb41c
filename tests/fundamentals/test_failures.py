"""A command that raises ends its job as failed; one that returns an error has completed, with an error."""

from __future__ import annotations

from mcp_queue_plugin import CommandExecutionJob, QueueManagerIntegration


async def test_what_a_command_raises_fails_its_job(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(CommandExecutionJob, "bread", {"command": "burn"})

    ended = await manager.wait_job("bread", timeout_seconds=30)

    assert ended.status == "failed"
    assert ended.error == "the oven is too hot"


async def test_the_traceback_is_in_the_jobs_log(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(CommandExecutionJob, "bread", {"command": "burn"})
    await manager.wait_job("bread", timeout_seconds=30)

    stderr = (await manager.get_job_logs("bread"))["stderr"]

    assert stderr[0] == "Traceback (most recent call last):"
    assert stderr[-1] == "RuntimeError: the oven is too hot"


async def test_an_error_that_is_returned_is_a_result(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(CommandExecutionJob, "bread", {"command": "refuse"})

    ended = await manager.wait_job("bread", timeout_seconds=30)

    assert ended.status == "completed"
    assert ended.result["result"]["success"] is False
    assert ended.result["result"]["error"]["message"] == "there is no flour"
