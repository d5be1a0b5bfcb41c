"""What the pool says of itself and of each of its processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mcp_queue_plugin.model.scaling import MEGABYTE
from mcp_queue_plugin.workers import host
from mcp_queue_plugin.workers.statistics import WorkerFacts
from tests.unit.workers.harness import Harness, kill_and_wait, running, until


def only_worker(harness: Harness) -> WorkerFacts:
    (facts,) = harness.pool.statistics().processes
    return facts


async def test_each_worker_is_shown_with_its_job_its_memory_and_its_age() -> None:
    async with running() as harness:
        starting = only_worker(harness)
        assert (starting.state, starting.job_id, starting.jobs_done) == ("starting", None, 0)
        pid = await harness.result("pid")
        idle = only_worker(harness)
        assert (idle.pid, idle.state, idle.job_id, idle.jobs_done, idle.frozen) == (pid, "idle", None, 1, False)
        assert MEGABYTE < (idle.rss_bytes or 0) < 1024 * MEGABYTE
        assert starting.uptime_seconds < idle.uptime_seconds < 60
        token = await harness.working("work_until_stopped")
        busy = only_worker(harness)
        assert (busy.state, busy.job_id, busy.jobs_done) == ("busy", "job-2", 1)
        harness.pool.stop(token, 60)
        await harness.ending(token)
        assert (only_worker(harness).state, only_worker(harness).jobs_done) == ("idle", 2)


async def test_a_worker_that_is_told_to_go_is_leaving() -> None:
    async with running() as harness:
        await harness.result("echo", isolation="fresh")
        assert [worker.state for worker in harness.pool.statistics().processes][:1] == ["leaving"]


async def test_a_stopped_worker_is_frozen_and_not_guessed_dead_and_comes_back() -> None:
    async with running() as harness:
        token = await harness.working("work_until_stopped")
        pid = only_worker(harness).pid
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: only_worker(harness).frozen)
        harness.pool.stop(token, 60)
        assert only_worker(harness).state == "busy"
        os.kill(pid, signal.SIGCONT)
        assert (await harness.ending(token)).result == b'"stopped in good order"'
        assert not only_worker(harness).frozen
        assert await harness.result("pid") == pid


async def test_a_worker_that_waits_in_the_kernel_is_frozen_from_the_second_look_on(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with running() as harness:
        token = await harness.start("wait_in_kernel", str(fifo))
        looks: list[bool] = []

        def seen_frozen_twice() -> bool:
            looks.append(only_worker(harness).frozen)
            return looks[-2:] == [True, True]

        # It may wait for something else for a moment before it comes to its job.
        await until(seen_frozen_twice)
        assert not looks[0]
        os.close(os.open(fifo, os.O_WRONLY))
        assert (await harness.ending(token)).result == b"0"
        assert not only_worker(harness).frozen


async def test_a_worker_that_has_just_died_has_no_memory() -> None:
    async with running() as harness:
        kill_and_wait(await harness.result("pid"))
        assert not only_worker(harness).rss_bytes


def test_a_process_that_is_not_there_has_no_vitals() -> None:
    assert host.vitals(2**22 + 1) is None


@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["another", "own"])
def test_a_process_at_work_is_not_waiting_in_the_kernel(pid: int) -> None:
    seen = host.vitals(pid)
    assert seen is not None
    assert seen.state in "RSD"
    assert (seen.waits_since is None) == (seen.state != "D")
