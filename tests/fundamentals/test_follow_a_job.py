"""What a running job tells: its progress, what it is doing, and every line it writes."""

from __future__ import annotations

from mcp_queue_plugin import CommandExecutionJob, QueueManagerIntegration
from tests.fundamentals.waiting import until


async def test_progress_and_description_can_be_read_while_the_job_runs(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(CommandExecutionJob, "bread", {"command": "knead"})

    async def is_kneading() -> bool:
        job = await manager.get_job_status("bread")
        return (job.status, job.progress, job.description) == ("running", 40, "kneading the dough")

    await until(is_kneading)


async def test_what_a_job_prints_is_its_log(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(CommandExecutionJob, "talk", {"command": "speak"})
    await manager.wait_job("talk", timeout_seconds=30)

    log = await manager.get_job_logs("talk")

    assert log["stdout"] == ["first", "second"]
    assert log["stderr"] == ["third"]


async def test_a_listener_hears_of_every_end(manager: QueueManagerIntegration) -> None:
    ended: list[str] = []
    manager.add_terminal_listener(ended.append)

    await manager.submit_job(CommandExecutionJob, "talk", {"command": "speak"})
    await manager.wait_job("talk", timeout_seconds=30)

    async def is_heard() -> bool:
        return ended == ["talk"]

    await until(is_heard)
