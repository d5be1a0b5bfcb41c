"""What ``start_job`` answers: where the job is once it had the time to take a free slot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from tests.unit.workers.harness import WAIT_SECONDS

MODULES = ["tests.unit.adapter.sample_commands"]


@pytest.fixture
async def manager() -> AsyncIterator[QueueManagerIntegration]:
    manager = QueueManagerIntegration(max_concurrent_jobs=1, shutdown_timeout=0.0)
    await manager.start()
    yield manager
    await manager.stop()


async def add_holding(manager: QueueManagerIntegration, path: Path) -> str:
    """Add a job that runs until ``path`` is there."""
    job_id = new_job_id()
    params = {"command": "sample_hold", "params": {"path": str(path)}, "auto_import_modules": MODULES}
    await manager.add_job(CommandExecutionJob, job_id, params)
    return job_id


async def test_it_answers_running_where_a_slot_is_free_and_pending_where_none_is(
    manager: QueueManagerIntegration, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    done.touch()
    first = await add_holding(manager, done)
    await manager.start_job(first)
    # The worker is warm now.
    assert (await manager.wait_job(first, WAIT_SECONDS)).status == "completed"

    path = tmp_path / "go"
    holding, waiting = await add_holding(manager, path), await add_holding(manager, path)
    assert (await manager.start_job(holding)).status == "running"
    assert (await manager.start_job(waiting)).status == "pending"
    assert (await manager.start_job(holding)).status == "running"
    path.touch()
    for job_id in (holding, waiting):
        assert (await manager.wait_job(job_id, WAIT_SECONDS)).status == "completed"


async def test_a_job_that_ends_at_once_is_answered_as_it_is(manager: QueueManagerIntegration, tmp_path: Path) -> None:
    job_id = await add_holding(manager, tmp_path)
    assert (await manager.start_job(job_id)).status in {"pending", "running", "completed"}
    assert (await manager.wait_job(job_id, WAIT_SECONDS)).status == "completed"
