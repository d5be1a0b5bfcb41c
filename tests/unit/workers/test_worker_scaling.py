"""How the pool grows with the jobs that wait, holds back when the machine is short, and shrinks when idle."""

from __future__ import annotations

import errno
import os

import pytest

from mcp_queue_plugin.model.scaling import MEGABYTE, Demand, Machine
from mcp_queue_plugin.workers import host
from tests.unit.workers.harness import Harness, is_gone, living_children, pending_timers, running, until

PLENTY = Machine(1 << 40, 0.0)
NO_MEMORY = Machine(100 * MEGABYTE, 0.0)
BUSY = Machine(1 << 40, 9.5)


class FakeMachine:
    """A machine whose memory and load the test decides. It counts how often it was looked at."""

    def __init__(self, now: Machine) -> None:
        self.now = now
        self.looks = 0

    def __call__(self) -> Machine:
        self.looks += 1
        return self.now


async def fill(harness: Harness, jobs: int) -> list[int]:
    """The pids of workers that run so many jobs at once, when they have ended theirs."""
    harness.pool.demand(Demand(jobs))
    await until(lambda: harness.pool.free() == jobs)
    harness.pool.demand(Demand())
    tokens = [await harness.start("pid") for _ in range(jobs)]
    return [int((await harness.ending(token)).result or b"") for token in tokens]


async def test_a_pool_at_its_minimum_with_nothing_to_do_does_nothing() -> None:
    async with running(max_workers=3, min_workers=2, idle_timeout_seconds=0.1) as harness:
        await until(lambda: harness.pool.free() == 2)
        await harness.result("echo", 1)
        assert pending_timers() == []
        assert harness.pool.statistics().idle_ended_total == 0


async def test_workers_beyond_the_minimum_leave_when_they_were_idle_too_long_the_longest_idle_first() -> None:
    async with running(max_workers=3, idle_timeout_seconds=0.6) as harness:
        pids = set(await fill(harness, 3))
        last_used = await harness.result("pid")
        await until(lambda: len(harness.pool.statistics().pids) == 1)
        assert harness.pool.statistics().pids == (last_used,)
        assert harness.pool.statistics().idle_ended_total == 2
        assert all(is_gone(pid) for pid in pids - {last_used})
        assert await harness.result("pid") == last_used
        assert pending_timers() == []
        assert harness.pool.statistics().crashed_total == 0


async def test_a_worker_that_is_used_now_and_then_stays_and_one_that_never_is_leaves() -> None:
    async with running(max_workers=2, idle_timeout_seconds=0.5) as harness:
        await fill(harness, 2)
        last_used = await harness.result("pid")
        await until(lambda: harness.pool.statistics().idle_ended_total)
        for _ in range(5):
            assert await harness.result("sleep", 0.15) == 0.15
        assert harness.pool.statistics().pids == (last_used,)


async def test_without_a_minimum_the_last_worker_leaves_too_and_comes_back_when_it_is_needed() -> None:
    async with running(max_workers=2, min_workers=0, idle_timeout_seconds=0.1) as harness:
        await fill(harness, 1)
        await until(lambda: not living_children())
        assert harness.pool.statistics().started == 1
        assert pending_timers() == []
        await fill(harness, 1)
        assert harness.pool.statistics().started == 2


async def test_without_a_time_out_idle_workers_stay() -> None:
    async with running(max_workers=2, idle_timeout_seconds=None) as harness:
        await fill(harness, 2)
        assert pending_timers() == []
        assert harness.pool.free() == 2


@pytest.mark.parametrize(("short_of", "says"), [(NO_MEMORY, "min_free_memory_mb, 256"), (BUSY, "max_load_per_core, 2")])
async def test_it_does_not_grow_while_the_machine_is_short_and_says_why(short_of: Machine, says: str) -> None:
    machine = FakeMachine(short_of)
    async with running(max_workers=3, max_load_per_core=2.0, machine=machine) as harness:
        await until(lambda: harness.pool.free() == 1)
        assert machine.looks == 0
        # One of the three is the job that runs below.
        harness.pool.demand(Demand(3))
        assert says in (harness.pool.statistics().held_back_by or "")
        assert await harness.result("echo", "one worker runs jobs all the same") == "one worker runs jobs all the same"
        await until(lambda: machine.looks >= 2)
        assert harness.pool.statistics().started == 1
        machine.now = PLENTY
        await until(lambda: harness.pool.free() == 2)
        assert harness.pool.statistics().held_back_by is None


async def test_the_machine_is_looked_at_only_as_long_as_workers_are_wanted() -> None:
    machine = FakeMachine(NO_MEMORY)
    async with running(max_workers=3, machine=machine, idle_timeout_seconds=None) as harness:
        await until(lambda: harness.pool.free() == 1)
        harness.pool.demand(Demand(2))
        harness.pool.demand(Demand(3))
        assert (machine.looks, len(pending_timers())) == (1, 1)
        harness.pool.demand(Demand())
        assert pending_timers() == []
        assert harness.pool.statistics().held_back_by is None


async def test_a_machine_that_is_short_of_everything_still_gets_its_first_worker_again() -> None:
    machine = FakeMachine(NO_MEMORY)
    async with running(max_workers=3, min_workers=2, machine=machine) as harness:
        first = await harness.result("pid")
        assert harness.pool.statistics().held_back_by is not None
        os.kill(first, 9)
        assert await harness.result_of_another_worker(first)
        assert harness.pool.statistics().started == 2


async def test_a_machine_that_cannot_be_looked_at_holds_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    def machine() -> Machine:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with running(max_workers=2, machine=machine) as harness:
        await fill(harness, 2)
        assert harness.pool.statistics().held_back_by is None
    assert "cannot be read, and holds no worker back: [Errno 24]" in caplog.text


async def test_nothing_is_looked_at_when_no_rule_asks_for_it() -> None:
    machine = FakeMachine(NO_MEMORY)
    async with running(max_workers=2, min_free_memory_bytes=0, machine=machine) as harness:
        await fill(harness, 2)
        assert machine.looks == 0


def test_the_machine_tells_its_memory_and_its_load() -> None:
    seen = host.machine()
    assert MEGABYTE < seen.available_memory_bytes < 1 << 50
    assert seen.load_per_core >= 0
