"""Jobs that need a process of their own, and jobs whose time is over, from the queue to the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.model.options import OnInterrupt
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import Host, hosting


async def pid_of(host: Host, job_id: str, **options: Any) -> int:
    """The pid of the worker that ran a job."""
    await host.submit(job_id, "pid", **options)
    return int(json.loads((await host.end(job_id)).result or b""))


async def test_fresh_jobs_have_each_their_own_process_and_warm_ones_share() -> None:
    async with hosting() as host:
        warm = [await pid_of(host, f"warm {number}") for number in range(2)]
        fresh = [await pid_of(host, f"fresh {number}", isolation="fresh") for number in range(3)]
        assert len(set(warm)) == 1
        assert len({*warm, *fresh}) == 4
        assert (await host.engine.health()).workers.crashed_total == 0


@pytest.mark.parametrize("on_interrupt", ["retry", "fail"])
async def test_fresh_jobs_and_warm_ones_submitted_together_all_run(on_interrupt: OnInterrupt) -> None:
    async with hosting(max_concurrent_jobs=2) as host:
        job_ids = [f"{isolation} {number}" for number in range(6) for isolation in ("fresh", "warm")]
        for job_id in job_ids:
            isolation = job_id.partition(" ")[0]
            await host.submit(job_id, "pid", isolation=isolation, on_interrupt=on_interrupt)
        pids = {job_id: (await host.end(job_id)).result for job_id in job_ids}
        fresh = [pid for job_id, pid in pids.items() if job_id.startswith("fresh")]
        assert len(set(fresh)) == 6
        assert {job.attempt for job in [(await host.status(job_id)).job for job_id in job_ids]} == {1}


async def test_a_job_that_waits_for_a_fresh_process_lets_warm_ones_pass() -> None:
    async with hosting() as host:
        await pid_of(host, "first")
        await host.submit("fresh", "echo", isolation="fresh")
        for number in range(40):
            await host.submit(f"warm {number}", "echo")
        await host.end("fresh")
        ended = [job_id for job_id, _ in host.ended]
        assert ended.index("fresh") > ended.index("warm 0")


async def test_a_stopped_fresh_job_is_waited_for_by_nobody(tmp_path: Path) -> None:
    async with hosting() as host:
        release = tmp_path / "release"
        await host.submit("busy", "hold", str(release))
        await host.working("busy")
        await host.submit("fresh", "echo", isolation="fresh")
        await host.stop("fresh")
        release.touch()
        await host.end("busy")
        await host.submit("warm", "echo")
        assert (await host.end("warm")).job.state is State.COMPLETED


async def test_an_attempt_whose_time_is_over_fails_by_name_and_its_log_says_where_it_was(tmp_path: Path) -> None:
    async with hosting() as host:
        await host.submit("slow", "hold", str(tmp_path / "never"), timeout_seconds=0.2, stop_grace_seconds=0.1)
        job = (await host.end("slow")).job
        assert (job.state, job.attempt) == (State.FAILED, 1)
        assert job.error is not None
        assert (job.error.type, job.error.message) == (
            "JobTimeout",
            "the attempt ran longer than its timeout_seconds of 0.2",
        )
        page = await host.engine.reading.log("slow", LogQuery())
        text = "\n".join(entry.line for entry in page.entries)
        assert text.startswith("The attempt has run for its timeout_seconds of 0.2 and is stopped.")
        assert "in hold" in text
        await host.submit("next", "echo", 1)
        assert (await host.end("next")).job.state is State.COMPLETED
