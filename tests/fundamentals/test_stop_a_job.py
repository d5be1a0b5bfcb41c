"""A job can be stopped, while it waits and while it runs."""

from __future__ import annotations

from mcp_queue_plugin import CommandExecutionJob, QueueManagerIntegration
from tests.fundamentals.waiting import until


async def run_until_described(manager: QueueManagerIntegration, command: str) -> None:
    await manager.submit_job(CommandExecutionJob, "bread", {"command": command})

    async def is_described() -> bool:
        return (await manager.get_job_status("bread")).description != ""

    await until(is_described)


async def test_a_job_that_was_not_started_is_stopped_at_once(manager: QueueManagerIntegration) -> None:
    await manager.add_job(CommandExecutionJob, "waits", {"command": "bake"})

    assert (await manager.stop_job("waits")).status == "stopped"


async def test_a_stop_cancels_a_command_that_awaits(manager: QueueManagerIntegration) -> None:
    await run_until_described(manager, "knead")

    assert (await manager.stop_job("bread")).status == "stopped"


async def test_a_command_that_asks_whether_to_stop_keeps_its_result(manager: QueueManagerIntegration) -> None:
    await run_until_described(manager, "bake")

    assert (await manager.stop_job("bread")).status == "stopped"

    ended = await manager.get_job_status("bread")
    assert ended.result["result"]["data"]["loaves"] > 0
