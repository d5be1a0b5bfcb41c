"""Jobs that need a process of their own, and jobs whose time is over, from the queue to the record."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.model.options import OnInterrupt
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import WAIT_SECONDS, Host, hosting


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


@pytest.mark.parametrize("slots", [1, 2])
async def test_however_many_warm_jobs_follow_a_fresh_job_gets_its_process_and_its_slot(slots: int) -> None:
    queues = {"narrow": QueueRule(max_concurrent_jobs=slots)}
    async with hosting(max_concurrent_jobs=2, min_workers=2, queues=queues) as host:
        for number in range(2):
            await host.submit(f"use {number}", "nap", 0.1)
        await host.end("use 1")
        await host.submit("fresh", "pid", queue="narrow", isolation="fresh")
        warm = deque[str]()
        async with asyncio.timeout(WAIT_SECONDS):
            for number in count():
                warm.append(f"warm {number}")
                await host.submit(warm[-1], "nap", 0.01, queue="narrow")
                if len(warm) > 6:
                    await host.end(warm.popleft())
                if (await host.status("fresh")).job.state is State.COMPLETED:
                    break
        # It waited for its process to start, and no longer.
        assert number < 1000
        # Its process and, when that has ended, one to keep the minimum.
        assert (await host.engine.health()).workers.started <= 4


async def test_a_time_out_is_worth_a_retry_by_its_name(tmp_path: Path) -> None:
    async with hosting() as host:
        await host.submit(
            "slow",
            "hold",
            str(tmp_path / "never"),
            timeout_seconds=0.1,
            stop_grace_seconds=0.0,
            max_retries=1,
            retry_base_seconds=0.0,
            retry_on=("JobTimeout",),
        )
        job = (await host.end("slow")).job
        assert (job.state, job.attempt, job.error and job.error.type) == (State.FAILED, 2, "JobTimeout")


async def test_a_stop_outranks_a_time_out(tmp_path: Path) -> None:
    async with hosting() as host:
        options = {"timeout_seconds": 0.1, "stop_grace_seconds": 60.0, "max_retries": 3}
        await host.submit("slow", "hold", str(tmp_path / "never"), **options)
        await host.working("slow")
        page = await host.engine.reading.log("slow", LogQuery(), wait_seconds=WAIT_SECONDS)
        assert "timeout_seconds" in page.entries[0].line
        assert (await host.stop("slow", grace_seconds=0)).job.state is State.STOPPED
