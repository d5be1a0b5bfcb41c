"""What jobs report of themselves, from the code of a job to its committed record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import ENDED_STATES
from tests.unit.adapter.sample_jobs import AdapterJob

WAIT_SECONDS = 30.0
WRITES_PER_SECOND = 10


async def changes(manager: QueueManagerIntegration, job_id: str) -> AsyncIterator[Job]:
    """Each committed record of a job, up to its end."""
    job = (await manager.engine.status(job_id)).job
    yield job
    while job.state not in ENDED_STATES:
        job = (await manager.engine.status(job_id, wait_seconds=WAIT_SECONDS, known_version=job.version)).job
        yield job


async def submit(manager: QueueManagerIntegration, do: str) -> str:
    job_id = new_job_id()
    await manager.submit_job(AdapterJob, job_id, {"do": do})
    return job_id


async def percents(manager: QueueManagerIntegration, command: str, **params: Any) -> list[int]:
    """The different progress values of a command's job, in their order."""
    job_id = new_job_id()
    await manager.submit_job(CommandExecutionJob, job_id, {"command": command, "params": params})
    seen = [job.progress async for job in changes(manager, job_id)]
    return list(dict.fromkeys(seen))


async def test_a_job_that_reports_all_the_time_is_written_ten_times_a_second(manager: QueueManagerIntegration) -> None:
    job_id = await submit(manager, "chatter")
    first = (await manager.engine.status(job_id)).job
    ended = await manager.wait_job(job_id, WAIT_SECONDS)
    last = (await manager.engine.status(job_id)).job
    # The claim and the end are writes too.
    assert last.version - first.version <= WRITES_PER_SECOND * ended.result["seconds"] + 3
    assert ended.result["reports"] > 20 * WRITES_PER_SECOND
    assert ended.description == f"report {ended.result['reports']}"


async def test_the_last_report_is_not_lost_while_the_job_goes_on(manager: QueueManagerIntegration) -> None:
    job_id = await submit(manager, "report_and_hold")
    async for job in changes(manager, job_id):
        if job.description == "held":
            break
    assert job.progress == 3
    await manager.stop_job(job_id)


@pytest.mark.parametrize("blocking", [False, True])
async def test_progress_follows_time_for_a_command_that_announces_its_duration(
    manager: QueueManagerIntegration, blocking: bool
) -> None:
    seen = await percents(manager, "sample_timed", duration=0.8, steps=4, seconds=1.5, blocking=blocking)
    # On a busy machine a step may be skipped.
    assert seen == sorted(seen)
    assert {0, 99, 100} < set(seen) <= {0, 25, 50, 75, 99, 100}


async def test_it_goes_in_ten_steps_if_the_call_names_none(manager: QueueManagerIntegration) -> None:
    seen = await percents(manager, "sample_timed", duration=10, seconds=1.8)
    assert seen == [0, 10, 100]


async def test_it_follows_the_command_as_soon_as_that_reports_itself(manager: QueueManagerIntegration) -> None:
    seen = await percents(manager, "sample_timed", duration=0.8, steps=4, seconds=1.5, report=7)
    assert seen == [0, 7, 100]


async def test_a_command_that_announces_nothing_reads_zero_until_its_end(manager: QueueManagerIntegration) -> None:
    assert await percents(manager, "sample_timed", seconds=0.4) == [0, 100]
    assert await percents(manager, "sample_timed", duration=None, steps=4, seconds=0.4) == [0, 100]


async def test_a_command_that_no_worker_knows_announces_nothing(manager: QueueManagerIntegration) -> None:
    assert await percents(manager, "sample_nowhere", duration=1) == [0]


async def test_progress_that_is_no_number_fails_the_command_by_name(manager: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    params = {"command": "sample_progress", "params": {"percent": "half"}}
    await manager.submit_job(CommandExecutionJob, job_id, params)
    ended = await manager.wait_job(job_id, WAIT_SECONDS)
    assert (ended.status, ended.error) == ("failed", 'the progress must be a number from 0 to 100, not "half"')


@pytest.mark.parametrize("percent", [-5, 250])
async def test_progress_out_of_range_is_clamped(manager: QueueManagerIntegration, percent: int) -> None:
    job_id = new_job_id()
    params = {"command": "sample_progress", "params": {"percent": percent, "fail": True}}
    await manager.submit_job(CommandExecutionJob, job_id, params)
    ended = await manager.wait_job(job_id, WAIT_SECONDS)
    assert (ended.status, ended.progress) == ("failed", min(100, max(0, percent)))
