"""A job need not be a command: any QueueJobBase subclass of an importable module can be submitted."""

from __future__ import annotations

from mcp_queue_plugin import QueueManagerIntegration
from tests.fundamentals.sample_commands import Weigh


async def test_submit_a_job_of_ones_own(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(Weigh, "flour", {"portions": [200, 300]})

    ended = await manager.wait_job("flour", timeout_seconds=30)

    assert ended.status == "completed"
    assert ended.result["grams"] == 500
