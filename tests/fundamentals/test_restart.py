"""With a file for a store, jobs and results outlive the server."""

from __future__ import annotations

from pathlib import Path

from mcp_queue_plugin import QueueJobStatus, QueueManagerIntegration
from tests.fundamentals.sample_commands import Weigh


async def test_a_restart_keeps_results_and_runs_what_waits(tmp_path: Path) -> None:
    store = str(tmp_path / "queue.db")
    first = QueueManagerIntegration(in_memory=False, registry_path=store, max_concurrent_jobs=1)
    await first.start()
    await first.submit_job(Weigh, "done", {"portions": [1, 2]})
    await first.wait_job("done", timeout_seconds=30)
    await first.add_job(Weigh, "waiting", {"portions": [3, 4]})
    await first.stop()

    second = QueueManagerIntegration(in_memory=False, registry_path=store, max_concurrent_jobs=1)
    await second.start()
    done = await second.get_job_status("done")
    await second.start_job("waiting")
    waiting = await second.wait_job("waiting", timeout_seconds=30)
    await second.stop()

    assert (done.status, done.result["grams"]) == (QueueJobStatus.COMPLETED, 3)
    assert (waiting.status, waiting.result["grams"]) == (QueueJobStatus.COMPLETED, 7)
