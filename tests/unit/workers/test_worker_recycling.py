"""Workers that have served long enough are replaced, and no job waits for it."""

from __future__ import annotations

import asyncio
import os
import signal

from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.scaling import MEGABYTE, Demand
from tests.unit.workers.harness import (
    WAIT_SECONDS,
    Harness,
    is_gone,
    living_children,
    open_descriptors,
    pending_timers,
    running,
    setup,
    until,
)


async def successor_ready(harness: Harness) -> None:
    """Wait until a successor has nothing more to do than to wait for a place."""
    await until(lambda: harness.pool.statistics().starting == 1)
    (successor,) = (worker.pid for worker in harness.pool.statistics().processes if worker.state == "starting")
    await until(lambda: harness.is_ready(successor))


async def test_a_stream_of_jobs_goes_on_while_the_only_worker_is_replaced() -> None:
    before = living_children()
    async with running(recycle_after_jobs=10) as harness:
        pids = [await harness.result("pid")]
        async with asyncio.timeout(WAIT_SECONDS):
            while len(set(pids)) < 2:
                assert harness.pool.free() == 1, "the next job finds a worker at once"
                assert len(living_children() - before) <= 2
                pids.append(await harness.result("pid"))
        assert len(pids) > 10
        assert pids == sorted(pids, key=pids.index), "no worker runs a job after its successor has"
        await until(lambda: is_gone(pids[0]))
        statistics = harness.pool.statistics()
        assert (statistics.started, statistics.recycled_total, statistics.crashed_total) == (2, 1, 0)


async def test_an_idle_worker_is_replaced_as_soon_as_its_successor_is_ready() -> None:
    async with running(recycle_after_jobs=1) as harness:
        first = await harness.result("pid")
        await until(lambda: is_gone(first))
        assert harness.pool.free() == 1
        assert harness.pool.statistics().recycled_total == 1
        await until(lambda: pending_timers() == [])


async def test_a_busy_worker_is_replaced_when_its_job_is_over_and_runs_no_other_beside_it() -> None:
    async with running(recycle_after_jobs=2) as harness:
        first = await harness.result("pid")
        await harness.end("echo", 1)
        token = await harness.working("work_until_stopped")
        await successor_ready(harness)
        assert harness.pool.free() == 0
        assert {worker.pid: worker.job_id for worker in harness.pool.statistics().processes}[first] == "job-3"
        harness.pool.stop(token, 60)
        assert (await harness.ending(token)).kind is EndingKind.COMPLETED
        assert harness.pool.free() == 1
        assert await harness.result("pid") != first


async def test_a_worker_that_holds_too_much_memory_is_replaced() -> None:
    before = open_descriptors()
    async with running(recycle_rss_bytes=150 * MEGABYTE, recycle_after_jobs=None) as harness:
        first = await harness.result("keep_memory", 10)
        assert await harness.result("pid") == first
        assert await harness.result("keep_memory", 200) == first
        await until(lambda: is_gone(first))
        assert await harness.result("pid") != first
        assert harness.pool.statistics().recycled_total == 1
    assert open_descriptors() == before


async def test_short_jobs_do_not_make_it_replace_workers_all_the_time() -> None:
    async with running(recycle_after_jobs=5) as harness:
        for _ in range(5):
            await harness.end("echo")
        await until(lambda: harness.pool.statistics().recycled_total)
        for _ in range(50):
            await harness.end("echo")
        assert harness.pool.statistics().started == 2


async def test_workers_are_replaced_one_after_another() -> None:
    before = living_children()
    async with running(max_workers=3, min_workers=3, recycle_rss_bytes=1) as harness:
        await until(lambda: harness.pool.free() == 3)
        tokens = [await harness.start("pid") for _ in range(3)]
        pids = {int((await harness.ending(token)).result or b"") for token in tokens}
        most = 0

        def all_replaced() -> bool:
            nonlocal most
            most = max(most, len(living_children() - before))
            return harness.pool.free() == 3 and all(is_gone(pid) for pid in pids)

        await until(all_replaced)
        assert most == 4
        assert harness.pool.statistics().recycled_total == 3


async def test_a_successor_takes_the_place_of_a_worker_that_died() -> None:
    async with running(recycle_after_jobs=1) as harness:
        await harness.end("echo")
        token = await harness.working("sleep", 3600)
        await successor_ready(harness)
        harness.pool.demand(Demand(1))
        os.kill(harness.pool.statistics().pids[0], signal.SIGKILL)
        assert (await harness.ending(token)).kind is EndingKind.CRASHED
        assert harness.pool.free() == 1
        assert harness.pool.statistics().started == 2
        assert harness.pool.statistics().recycled_total == 0


async def test_a_successor_runs_jobs_itself_when_the_pool_may_grow() -> None:
    async with running(max_workers=2, recycle_after_jobs=1) as harness:
        first = await harness.result("pid")
        token = await harness.working("work_until_stopped")
        await successor_ready(harness)
        harness.pool.demand(Demand(1))
        assert harness.pool.free() == 1
        assert await harness.result("pid") != first
        harness.pool.stop(token, 60)
        await harness.ending(token)
        await until(lambda: is_gone(first))


async def test_a_new_setup_ends_a_successor_of_the_old_generation() -> None:
    async with running(recycle_after_jobs=1) as harness:
        await harness.end("echo")
        token = await harness.working("work_until_stopped")
        await successor_ready(harness)
        old = set(harness.pool.statistics().pids)
        harness.pool.warm_up(setup("FunctionRunner", "missing"))
        harness.pool.stop(token, 60)
        await harness.ending(token)
        await until(lambda: all(is_gone(pid) for pid in old))
        assert await harness.result("pid") not in old
        assert len(harness.ready) == 2
