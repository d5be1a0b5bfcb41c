"""What a job gets from its worker: parameters and a result, a log, progress, a stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Changes, EndingKind
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.workers import protocol
from mcp_queue_plugin.workers.protocol import Run
from tests.unit.workers.harness import Harness, running, until


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with running() as harness:
        yield harness


@pytest.mark.parametrize("target", ["echo", "nothing_async", "use_thread", "run_own_loop"])
async def test_a_result_comes_back(harness: Harness, target: str) -> None:
    assert await harness.result(target, {"text": "żółć", "n": [1, 2.5, None]}) == {"text": "żółć", "n": [1, 2.5, None]}


async def test_params_and_results_of_megabytes_fit(harness: Harness) -> None:
    text = "z" * 5_000_000
    assert await harness.result("echo", text) == text


async def test_what_does_not_fit_into_a_frame_is_refused_and_harms_nobody(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: harness.pool.free())
    monkeypatch.setattr(protocol, "PAYLOAD_MAX_BYTES", 10)
    call = Run(token=Token(99, 1), job_id="job-99", job_type="test", target="x:y")
    with pytest.raises(ProtocolViolation):
        harness.pool.run(call, b'"more than ten bytes"', JobOptions())
    monkeypatch.undo()
    assert harness.pool.free() == 1
    assert await harness.result("echo", 1) == 1


async def test_a_thousand_jobs_of_one_worker_each_have_their_own_log() -> None:
    async with running(recycle_after_jobs=None) as harness:
        tokens = {}
        for number in range(1000):
            token = await harness.start("say_on_both", str(number))
            tokens[token] = number
            await harness.ending(token)
        assert {token: harness.text(token) for token in tokens} == {t: f"out {n}" for t, n in tokens.items()}
        assert {token: harness.text(token, "stderr") for token in tokens} == {t: f"err {n}" for t, n in tokens.items()}
        assert harness.pool.statistics().started == 1


async def test_a_log_can_be_followed_line_by_line(harness: Harness) -> None:
    before = time.time()
    token = await harness.start("say_and_sleep", "first line")
    await until(lambda: harness.text(token) == "first line\n")
    assert token not in harness.endings
    assert before - 1 < harness.log[token][0].written_at < time.time() + 1


async def test_a_large_log_arrives_whole(harness: Harness) -> None:
    token = await harness.start("shout", 3_000_000)
    await harness.ending(token)
    assert len(harness.text(token)) == 3_000_000


async def test_output_past_python_is_part_of_the_log(harness: Harness) -> None:
    token = await harness.start("print_through_others")
    await harness.ending(token)
    assert sorted(harness.text(token).split()) == ["child", "libc", "python"]


async def test_input_is_at_its_end(harness: Harness) -> None:
    assert await harness.result("read_input") == "EOF"


async def test_progress_is_throttled_and_its_last_value_kept(harness: Harness) -> None:
    token = await harness.start("count_up", 100)
    await harness.ending(token)
    told = harness.progress[token]
    assert told[0] == Changes(progress=0)
    assert len(told) < 10
    assert [*told, harness.ended_with[token]][-1].progress == 99
    assert sum(changes.description is not None for changes in [*told, harness.ended_with[token]]) == 1


async def test_the_last_report_is_sent_while_the_job_goes_on(harness: Harness) -> None:
    token = await harness.start("progress_then_wait", 3600)
    await until(lambda: len(harness.progress.get(token, [])) == 2)
    assert harness.progress[token] == [Changes(progress=1), Changes(progress=2, step="second \\udc80")]


async def test_a_value_that_has_waited_is_sent_when_its_time_has_come(harness: Harness) -> None:
    token = await harness.start("count_slowly", 3)
    await harness.ending(token)
    assert [changes.progress for changes in harness.progress[token]] == [0, 50, 1, 51, 2, 52]
    assert harness.ended_with[token] == Changes()


async def test_progress_follows_the_clock_while_the_job_reports_none(harness: Harness) -> None:
    token = await harness.start("follow_the_clock", 1.4)
    await harness.ending(token)
    told = [changes.progress or 0 for changes in harness.progress[token]]
    # On a busy machine a step may be skipped.
    assert told == sorted(told)
    assert {99} < set(told) <= {25, 50, 75, 99}
    assert harness.ended_with[token] == Changes()


async def test_the_first_report_of_the_job_itself_ends_the_guessing(harness: Harness) -> None:
    token = await harness.start("follow_the_clock_then_report", 3)
    await harness.ending(token)
    told = [changes.progress for changes in harness.progress[token]]
    assert told[-1] == 3
    assert set(told[:-1]) <= {25, 50, 75}
    assert told[:-1]


async def test_the_end_of_an_attempt_ends_the_guessing(harness: Harness) -> None:
    token = await harness.start("follow_the_clock", 0.35)
    await harness.ending(token)
    following = await harness.start("sleep", 0.8)
    await harness.ending(following)
    assert [changes.progress for changes in harness.progress[token]] in ([25], [25, 50])
    assert [changes.progress for changes in harness.progress[following]] == [None]


async def test_nobody_reports_for_a_job_that_has_ended() -> None:
    async with running(lasting_threads=("tests.unit",)) as harness:
        token = await harness.start("leave_nosy_thread")
        await harness.ending(token)
        assert await harness.result("stop_seen_by_nosy_thread") is True
        assert set(harness.progress) <= {token}


@pytest.mark.parametrize("target", ["wait_async", "wait_async_in_thread"])
async def test_a_stop_cancels_a_coroutine(harness: Harness, target: str) -> None:
    token = await harness.working(target)
    harness.pool.stop(token, grace_seconds=60)
    assert (await harness.ending(token)).kind is EndingKind.STOPPED
    assert await harness.result("nothing_async", 1) == 1
    assert harness.pool.statistics().started == 1


async def test_a_stop_right_behind_its_run_is_not_missed(harness: Harness) -> None:
    worker = await harness.result("pid")
    os.kill(worker, signal.SIGSTOP)
    token = await harness.start("wait_async")
    harness.pool.stop(token, grace_seconds=60)
    os.kill(worker, signal.SIGCONT)
    assert (await harness.ending(token)).kind is EndingKind.STOPPED


async def test_a_coroutine_may_end_as_it_likes_when_it_is_stopped(harness: Harness) -> None:
    token = await harness.working("carry_on_async")
    harness.pool.stop(token, grace_seconds=60)
    assert (await harness.ending(token)).result == b'"finished regardless"'


async def test_a_coroutine_that_cancels_itself_was_not_stopped(harness: Harness) -> None:
    ending = await harness.end("cancel_self")
    assert (ending.kind, ending.error and ending.error.type) == (EndingKind.FAILED, "CancelledError")


async def test_a_job_that_asks_sees_the_stop(harness: Harness) -> None:
    token = await harness.working("work_until_stopped")
    harness.pool.stop(token, grace_seconds=60)
    assert (await harness.ending(token)).result == b'"stopped in good order"'
    assert await harness.result("echo", "the worker goes on") == "the worker goes on"


async def test_a_job_that_does_not_let_go_is_ended_with_its_worker(harness: Harness) -> None:
    token = await harness.working("sleep", 3600)
    harness.pool.stop(token, grace_seconds=0.05)
    assert (await harness.ending(token)).kind is EndingKind.STOPPED
    assert await harness.result("echo", "a new worker") == "a new worker"
    assert harness.pool.statistics().crashed_total == 0


async def test_a_job_that_ignores_sigterm_is_killed(harness: Harness) -> None:
    token = await harness.working("ignore_everything")
    harness.pool.stop(token, grace_seconds=3600)
    harness.pool.stop(token, grace_seconds=7200)
    begin = time.monotonic()
    harness.pool.stop(token, grace_seconds=0)
    await asyncio.sleep(0)
    harness.pool.stop(token, grace_seconds=0)
    assert (await harness.ending(token)).kind is EndingKind.STOPPED
    assert 0.9 < time.monotonic() - begin < 3


async def test_a_job_may_end_in_good_order_on_sigterm_but_its_worker_goes(harness: Harness) -> None:
    worker = await harness.result("pid")
    token = await harness.working("end_on_sigterm")
    harness.pool.stop(token, grace_seconds=0)
    assert (await harness.ending(token)).result == b'"ended in good order"'
    assert await harness.result_of_another_worker(worker)
    assert harness.pool.statistics().crashed_total == 0


async def test_a_stop_of_a_job_that_has_ended_is_ignored(harness: Harness) -> None:
    token = await harness.start("echo", 1)
    await harness.ending(token)
    harness.pool.stop(token, grace_seconds=0)
    assert await harness.result("echo", 2) == 2
    assert harness.pool.statistics().started == 1
