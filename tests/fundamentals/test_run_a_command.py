"""A command runs as a job: submit it, wait for its end, read its result."""

from __future__ import annotations

from mcp_queue_plugin import CommandExecutionJob, QueueManagerIntegration


async def test_submit_a_command_and_wait_for_its_result(manager: QueueManagerIntegration) -> None:
    submitted = await manager.submit_job(CommandExecutionJob, "sum", {"command": "add", "params": {"a": 2, "b": 3}})
    assert submitted.status == "pending"

    ended = await manager.wait_job("sum", timeout_seconds=30)

    assert ended.status == "completed"
    assert ended.result == {
        "job_id": "sum",
        "command": "add",
        "result": {"success": True, "data": {"sum": 5}},
        "status": "completed",
    }


async def test_a_job_can_be_added_first_and_started_later(manager: QueueManagerIntegration) -> None:
    params = {"command": "add", "params": {"a": 1, "b": 1}}
    added = await manager.add_job(CommandExecutionJob, "later", params)
    assert (added.status, added.started_at) == ("pending", None)

    await manager.start_job("later")

    assert (await manager.wait_job("later", timeout_seconds=30)).status == "completed"


async def test_jobs_run_side_by_side_each_in_a_process_of_its_own(manager: QueueManagerIntegration) -> None:
    for number in range(4):
        params = {"command": "add", "params": {"a": number, "b": number}}
        await manager.submit_job(CommandExecutionJob, f"double {number}", params)

    ended = [await manager.wait_job(f"double {number}", timeout_seconds=30) for number in range(4)]

    assert [job.result["result"]["data"]["sum"] for job in ended] == [0, 2, 4, 6]
    assert len((await manager.get_queue_health())["workers"]["pids"]) <= 2
