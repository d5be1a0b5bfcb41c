"""A plain function is a job too, once it is decorated with @task."""

from __future__ import annotations

from mcp_queue_plugin import QueueManagerIntegration
from tests.fundamentals.sample_commands import slice_bread


async def test_enqueue_a_function(manager: QueueManagerIntegration) -> None:
    job = await slice_bread.enqueue(2, thin=True)

    ended = await manager.wait_job(job.job_id, timeout_seconds=30)

    assert ended.status == "completed"
    assert ended.result == {"slices": 60}
    assert ended.description == "slicing"
