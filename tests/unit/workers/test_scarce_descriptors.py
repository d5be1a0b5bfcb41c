"""No descriptor is free: workers end all the same, and what they left is looked for until one is."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from mcp_queue_plugin.workers import orphans
from tests.unit.workers.harness import is_gone, living_children, running, until, wait_until
from tests.unit.workers.scarcity import no_descriptor_is_free


def test_a_process_is_killed_even_if_its_descendants_cannot_be_found() -> None:
    with subprocess.Popen(["/bin/sleep", "3600"]) as child:
        with no_descriptor_is_free():
            orphans.kill_tree(child.pid)
        wait_until(lambda: is_gone(child.pid))


@pytest.mark.usefixtures("subreaper")
async def test_a_job_is_stopped_by_force_and_its_processes_are_ended_later() -> None:
    async with running() as harness:
        token = await harness.working("daemon_then_sleep")
        left = living_children()
        with no_descriptor_is_free():
            harness.pool.stop(token, 0)
            await harness.ending(token)
        await until(lambda: living_children().isdisjoint(left))


async def test_a_worker_is_started_as_soon_as_there_are_descriptors_again() -> None:
    async with running() as harness:
        pid = await harness.result("pid")
        with no_descriptor_is_free():
            os.kill(pid, signal.SIGKILL)
            await until(lambda: harness.broken)
            assert "Too many open files" in harness.broken[0].message
        assert await harness.result_of_another_worker(pid)


async def test_a_worker_whose_memory_cannot_be_read_stays() -> None:
    async with running(recycle_rss_bytes=1, recycle_after_jobs=None) as harness:
        await until(harness.pool.free)
        with no_descriptor_is_free():
            assert await harness.result("echo", 1) == 1
            assert await harness.result("echo", 2) == 2
        assert harness.pool.statistics().started == 1
