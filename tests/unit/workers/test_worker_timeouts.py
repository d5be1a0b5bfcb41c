"""An attempt that runs for too long fails as ``JobTimeout``: it is asked to let go, then forced."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from mcp_queue_plugin.model.operations import Ending, EndingKind
from tests.unit.workers.harness import Harness, pending_timers, running, until

pytestmark = pytest.mark.usefixtures("subreaper")


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with running() as harness:
        yield harness


def assert_timed_out(ending: Ending, seconds: float) -> None:
    assert (ending.kind, ending.error_kinds, ending.result) == (EndingKind.FAILED, ("JobTimeout",), None)
    assert ending.error is not None
    assert ending.error.type == "JobTimeout"
    assert ending.error.message == f"the attempt ran longer than its timeout_seconds of {seconds:g}"


async def test_a_job_that_ends_in_time_is_not_touched_and_leaves_no_timer(harness: Harness) -> None:
    assert await harness.result("echo", 1, timeout_seconds=3600) == 1
    assert await harness.result("nothing_async", 2, timeout_seconds=3600) == 2
    assert pending_timers() == []


async def test_a_coroutine_is_cancelled_and_its_log_says_where_it_was(harness: Harness) -> None:
    token = await harness.working("wait_async", timeout_seconds=0.1, stop_grace_seconds=3600)
    assert_timed_out(await harness.ending(token), 0.1)
    log = harness.text(token, "stderr")
    assert log.startswith("The attempt has run for its timeout_seconds of 0.1 and is stopped.\nTraceback")
    assert "in wait_async\n    await asyncio.sleep(3600)" in log
    assert await harness.result("echo", "the worker goes on") == "the worker goes on"
    assert harness.pool.statistics().started == 1


@pytest.mark.parametrize("target", ["carry_on_async", "work_until_stopped"])
async def test_a_job_that_lets_go_has_failed_whatever_it_returns(harness: Harness, target: str) -> None:
    token = await harness.working(target, timeout_seconds=0.1, stop_grace_seconds=3600)
    assert_timed_out(await harness.ending(token), 0.1)
    assert await harness.result("echo", "the worker goes on") == "the worker goes on"
    assert harness.pool.statistics().started == 1


async def test_a_job_that_does_not_let_go_is_ended_after_the_grace_time_and_its_log_shows_the_stack(
    harness: Harness,
) -> None:
    begin = time.monotonic()
    token = await harness.working("sleep", 3600, timeout_seconds=0.1, stop_grace_seconds=0.2)
    assert_timed_out(await harness.ending(token), 0.1)
    assert 0.3 <= time.monotonic() - begin < 5
    assert "jobs.py" in harness.text(token, "stderr").partition("(most recent call first):")[2]
    assert await harness.result("echo", "a new worker") == "a new worker"
    assert harness.pool.statistics().crashed_total == 0


@pytest.mark.parametrize("target", ["stuck_in_c", "ignore_everything"])
async def test_a_job_that_is_deaf_to_sigterm_is_killed(harness: Harness, target: str) -> None:
    token = await harness.working(target, timeout_seconds=0.1, stop_grace_seconds=0.1)
    assert_timed_out(await harness.ending(token), 0.1)
    assert await harness.result("echo", "a new worker") == "a new worker"


async def test_a_frozen_worker_is_killed_too(harness: Harness) -> None:
    token = await harness.working("sleep", 3600, timeout_seconds=0.2, stop_grace_seconds=0.1)
    os.kill(harness.pool.statistics().pids[0], signal.SIGSTOP)
    assert_timed_out(await harness.ending(token), 0.2)
    assert await harness.result("echo", "a new worker") == "a new worker"


async def test_a_stop_before_the_time_is_over_stays_a_stop(harness: Harness) -> None:
    token = await harness.working("sleep", 3600, timeout_seconds=0.5, stop_grace_seconds=0.1)
    harness.pool.stop(token, grace_seconds=3600)
    assert await harness.ending(token) == Ending(kind=EndingKind.STOPPED)
    assert "timeout_seconds" not in harness.text(token, "stderr")


async def test_a_stop_after_the_time_is_over_makes_it_a_stop(harness: Harness) -> None:
    token = await harness.working("sleep", 3600, timeout_seconds=0.1, stop_grace_seconds=3600)
    await until(lambda: harness.text(token, "stderr"))
    harness.pool.stop(token, grace_seconds=0)
    assert (await harness.ending(token)).kind is EndingKind.STOPPED


async def test_the_time_out_of_one_job_is_none_of_the_next(harness: Harness) -> None:
    token = await harness.working("wait_async", timeout_seconds=0.05, stop_grace_seconds=0.3)
    await harness.ending(token)
    token = await harness.start("sleep", 0.6)
    assert (await harness.ending(token)).result == b"0.6"
    assert harness.text(token, "stderr") == ""


async def test_a_handler_of_a_job_does_not_hide_where_the_next_one_hung(harness: Harness) -> None:
    await harness.end("set_own_sigterm")
    token = await harness.working("sleep", 3600)
    harness.pool.stop(token, grace_seconds=0)
    await harness.ending(token)
    assert "jobs.py" in harness.text(token, "stderr")


async def test_a_process_that_a_job_forked_off_shows_no_stack(harness: Harness) -> None:
    token = await harness.start("fork_and_terminate")
    assert (await harness.ending(token)).result == str(int(signal.SIGTERM)).encode()
    assert harness.text(token, "stderr") == ""


async def test_a_process_that_a_job_forked_off_keeps_the_jobs_own_handler(harness: Harness) -> None:
    assert await harness.result("fork_with_own_sigterm") == 7


async def test_many_time_outs_at_once_each_end_their_own_job() -> None:
    async with running(max_workers=3, min_workers=3) as harness:
        seconds = [0.1, 0.2, 0.3]
        tokens = [await harness.start("wait_async", timeout_seconds=second) for second in seconds]
        async with asyncio.timeout(20):
            for token, second in zip(tokens, seconds, strict=True):
                assert_timed_out(await harness.ending(token), second)
        assert harness.pool.statistics().started == 3
