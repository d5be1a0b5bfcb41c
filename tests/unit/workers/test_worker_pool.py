"""How the pool grows, renews itself and ends."""

from __future__ import annotations

import asyncio
import os

import pytest

from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.scaling import Demand
from mcp_queue_plugin.workers.protocol import Ready
from tests.unit.workers.harness import Harness, is_gone, living_children, running, setup, until


async def test_it_warms_up_and_says_once_that_it_is_ready() -> None:
    async with running(max_workers=3, min_workers=2) as harness:
        await until(lambda: harness.pool.free() == 2)
        assert harness.ready == [Ready(commands=("echo",))]
        assert harness.idle_calls == 2
        statistics = harness.pool.statistics()
        assert (statistics.started, statistics.idle, statistics.busy, statistics.starting) == (2, 2, 0, 0)
        assert set(statistics.pids) <= living_children()


async def test_the_most_recently_used_worker_takes_the_next_job() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        await until(lambda: harness.pool.free() == 2)
        used = {await harness.result("pid") for _ in range(5)}
        assert len(used) == 1


async def test_it_grows_with_the_demand_and_never_past_its_limit() -> None:
    async with running(max_workers=3, min_workers=0) as harness:
        assert harness.pool.statistics().started == 0
        harness.pool.demand(Demand(1))
        await until(lambda: harness.pool.free() == 1)
        harness.pool.demand(Demand(1))
        assert harness.pool.statistics().started == 1
        harness.pool.demand(Demand(100))
        assert 1 <= harness.pool.statistics().starting <= min(2, os.cpu_count() or 1)
        await until(lambda: harness.pool.free() == 3)
        assert harness.pool.statistics().started == 3
        assert len(living_children()) == 3


async def test_crashing_jobs_never_push_it_past_its_limit() -> None:
    before = living_children()
    async with running(max_workers=2, min_workers=1) as harness:
        for _ in range(6):
            harness.pool.demand(Demand(10))
            await harness.end("leave_process", 1)
            assert len(living_children() - before) <= 2
        assert harness.pool.statistics().crashed_total == 6


async def test_a_new_setup_retires_the_old_workers_the_busy_after_their_job() -> None:
    async with running(max_workers=3, min_workers=2) as harness:
        await until(lambda: harness.pool.free() == 2)
        old = set(harness.pool.statistics().pids)
        token = await harness.working("work_until_stopped")
        harness.pool.warm_up(setup("FunctionRunner", "missing"))
        await until(lambda: len(harness.ready) == 2)
        assert harness.ready[1].failed_imports == {"missing": "no such module"}
        assert token not in harness.endings
        harness.pool.stop(token, 60)
        assert (await harness.ending(token)).kind is EndingKind.COMPLETED
        await until(lambda: all(is_gone(pid) for pid in old))
        await until(lambda: harness.pool.free() == 2)
        assert harness.pool.statistics().crashed_total == 0


async def test_the_same_setup_again_changes_nothing() -> None:
    async with running() as harness:
        await until(lambda: harness.pool.free())
        harness.pool.warm_up(setup())
        assert harness.pool.free() == 1
        assert harness.pool.statistics().started == 1


async def test_starting_workers_of_an_old_setup_are_ended() -> None:
    async with running("hanging") as harness:
        harness.pool.warm_up(setup())
        assert await harness.result("echo", 1) == 1
        assert harness.broken == []


async def test_close_lets_a_running_job_end() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        token = await harness.working("sleep", 0.2)
        assert await harness.pool.close(20) == []
        assert harness.endings[token].result == b"0.2"
        assert harness.pool.free() == 0


async def test_close_answers_what_was_still_running_and_reports_it_no_more() -> None:
    async with running(max_workers=2, min_workers=2) as harness:
        tokens = [await harness.working("sleep", 3600), await harness.working("ignore_everything")]
        harness.pool.stop(tokens[1], 60)
        assert sorted(await harness.pool.close(0.05)) == tokens
        assert harness.endings == {}
        assert harness.pool.statistics().pids == ()


async def test_close_ends_workers_that_are_still_starting() -> None:
    async with running("hanging") as harness:
        assert await harness.pool.close(20) == []
        assert harness.broken == []


async def test_a_pool_that_never_warmed_up_closes() -> None:
    harness = Harness()
    harness.pool.demand(Demand(5))
    assert await harness.pool.close(1) == []


@pytest.mark.usefixtures("subreaper")
async def test_close_ends_what_jobs_have_started() -> None:
    async with running() as harness:
        left = await harness.working("daemon_then_sleep")
        daemon = int(harness.progress[left][0].step or 0)
        assert await harness.pool.close(0) == [left]
        assert is_gone(daemon)
        assert living_children() == set()


async def test_failed_starts_are_retried_ever_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    told: list[tuple[float, WorkerStartFailed]] = []
    async with running(max_workers=2, min_workers=2, command=("/nowhere/python",)) as harness:
        told += [(loop.time(), error) for error in harness.broken]
        await until(lambda: len(harness.broken) == 2)
        second = loop.time()
        assert 0.9 < second - told[0][0] < 2
        await until(lambda: len(harness.broken) == 3)
        assert 1.9 < loop.time() - second < 3
