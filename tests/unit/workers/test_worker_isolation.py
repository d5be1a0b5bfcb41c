"""A fresh job gets a process that has run no other and ends with it; warm jobs go on meanwhile."""

from __future__ import annotations

import asyncio

from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.scaling import MEGABYTE, Demand, Machine
from tests.unit.workers.harness import WAIT_SECONDS, Harness, is_gone, living_children, pending_timers, running, until

ONE_FRESH = Demand(fresh=1)


async def fresh_pid(harness: Harness) -> int:
    """The pid of a fresh job, asked for as the dispatcher does, when its process is gone."""
    harness.pool.demand(ONE_FRESH)
    await until(lambda: harness.pool.free("fresh"))
    harness.pool.demand(Demand())
    pid = int(await harness.result("pid", isolation="fresh"))
    await until(lambda: is_gone(pid))
    return pid


async def test_each_fresh_job_has_a_process_of_its_own() -> None:
    async with running() as harness:
        warm = await harness.result("pid")
        pids = [await fresh_pid(harness) for _ in range(3)]
        assert len({warm, *pids}) == 4
        assert harness.pool.statistics().crashed_total == 0
        assert await harness.result("pid") not in pids


async def test_a_worker_that_has_run_nothing_serves_a_fresh_job_at_once() -> None:
    async with running() as harness:
        await until(lambda: harness.pool.free("fresh") == 1)
        (unused,) = harness.pool.statistics().pids
        assert await harness.result("pid", isolation="fresh") == unused
        assert harness.pool.free() == 0


async def test_a_warm_job_leaves_the_unused_worker_to_fresh_jobs_if_it_can() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        await until(lambda: harness.pool.free("fresh") == 2)
        used = await harness.result("pid")
        assert (harness.pool.free("fresh"), harness.pool.free("warm")) == (1, 2)
        assert await harness.result("pid") == used
        assert (harness.pool.free("fresh"), harness.pool.free("warm")) == (1, 2)


async def test_warm_jobs_run_while_a_fresh_job_waits_for_its_process() -> None:
    before = living_children()
    async with running() as harness:
        warm = await harness.result("pid")
        harness.pool.demand(ONE_FRESH)
        async with asyncio.timeout(WAIT_SECONDS):
            while not harness.pool.free("fresh"):
                assert await harness.result("pid") == warm
                assert len(living_children() - before) <= 2
        assert harness.pool.free("warm") == 1
        assert await harness.result("pid", isolation="fresh") != warm


async def test_a_fresh_job_gets_the_place_of_the_next_worker_that_is_free_however_many_warm_jobs_wait() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        await until(lambda: harness.pool.free() == 2)
        busy = [await harness.working("work_until_stopped") for _ in range(2)]
        pids = set(harness.pool.statistics().pids)
        harness.pool.demand(Demand(warm=5, fresh=1))
        await until(lambda: len(harness.pool.statistics().pids) == 3)
        (new,) = set(harness.pool.statistics().pids) - pids
        await until(lambda: harness.is_ready(new))
        assert harness.pool.free() == 0
        harness.pool.stop(busy[1], 60)
        await harness.ending(busy[1])
        assert harness.pool.free("fresh") == 1
        assert await harness.result("pid", isolation="fresh") == new
        harness.pool.stop(busy[0], 60)


async def test_the_next_worker_is_prepared_while_a_fresh_job_runs_in_the_only_place() -> None:
    async with running() as harness:
        token = await harness.working("work_until_stopped", isolation="fresh")
        harness.pool.demand(Demand(warm=1))
        (first, second) = harness.pool.statistics().pids
        await until(lambda: harness.is_ready(second))
        assert harness.pool.free() == 0
        harness.pool.stop(token, 60)
        assert (await harness.ending(token)).kind is EndingKind.COMPLETED
        assert await harness.result("pid") == second
        await until(lambda: is_gone(first))


async def test_a_process_that_starts_for_a_fresh_job_goes_when_the_job_is_gone() -> None:
    async with running() as harness:
        warm = await harness.result("pid")
        harness.pool.demand(ONE_FRESH)
        harness.pool.demand(Demand())
        assert harness.pool.statistics().started == 2
        await until(lambda: harness.pool.statistics().pids == (warm,))
        assert await harness.result("pid") == warm
        assert pending_timers() == []


async def test_a_machine_without_memory_exchanges_a_used_worker_for_a_fresh_one() -> None:
    async with running(max_workers=3, machine=lambda: Machine(MEGABYTE, 0.0)) as harness:
        warm = await harness.result("pid")
        assert await fresh_pid(harness) != warm
        await until(lambda: is_gone(warm))


async def test_a_fresh_job_that_dies_is_a_crash_of_its_own_process_alone() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        await until(lambda: harness.pool.free() == 2)
        warm = await harness.result("pid")
        assert (await harness.end("leave_process", 1, isolation="fresh")).kind is EndingKind.CRASHED
        assert await harness.result("pid") == warm


async def test_a_fresh_jobs_worker_goes_even_when_others_are_wanted() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        await until(lambda: harness.pool.free("fresh") == 2)
        harness.pool.demand(Demand(warm=9, fresh=9))
        pids = [await fresh_pid(harness) for _ in range(4)]
        assert len(set(pids)) == 4
