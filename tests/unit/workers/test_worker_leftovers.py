"""What a job leaves behind never reaches the next one, and no process outlives its worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.model.operations import EndingKind
from tests.unit.workers.harness import Harness, is_gone, open_descriptors, running, until

pytestmark = pytest.mark.usefixtures("subreaper")


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with running() as harness:
        yield harness


async def test_directory_environment_signals_and_streams_are_put_back(harness: Harness) -> None:
    before = await harness.result("facts")
    token = await harness.start("change_everything")
    await harness.ending(token)
    after = await harness.result("facts")
    # Only the files that the job left open are still there.
    assert len(after.pop("descriptors")) <= len(before.pop("descriptors")) + 4
    assert after == before
    assert harness.text(token) == ""
    token = await harness.start("say_on_both", "again")
    await harness.ending(token)
    assert (harness.text(token), harness.text(token, "stderr")) == ("out again", "err again")
    assert await harness.result("read_input") == "EOF"
    assert harness.pool.statistics().started == 1


async def test_sigint_is_not_inherited_as_ignored(harness: Harness) -> None:
    assert (await harness.result("facts"))["int"] is False


@pytest.mark.parametrize("target", ["replace_streams", "reconfigure_streams", "close_stdout"])
async def test_streams_work_again_after_a_job_ruined_them(harness: Harness, target: str) -> None:
    assert (await harness.end(target)).kind is EndingKind.COMPLETED
    token = await harness.start("say_on_both", "again")
    await harness.ending(token)
    assert (harness.text(token), harness.text(token, "stderr")) == ("out again", "err again")
    assert harness.pool.statistics().started == 1


async def test_input_ends_at_once_again_after_a_job_closed_it(harness: Harness) -> None:
    assert (await harness.end("close_stdin")).kind is EndingKind.COMPLETED
    assert await harness.result("read_input") == "EOF"
    assert harness.pool.statistics().started == 1


async def test_limits_that_a_job_has_lowered_are_raised_again(harness: Harness) -> None:
    before = await harness.result("limits")
    assert (await harness.end("forbid_files")).kind is EndingKind.COMPLETED
    assert await harness.result("limits") == before
    assert harness.pool.statistics().started == 1


async def test_a_worker_whose_limits_cannot_be_raised_again_is_replaced(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    before, first = await harness.result("limits"), await harness.result("pid")
    assert (await harness.end("forbid_files_for_good")).kind is EndingKind.COMPLETED
    assert await harness.result_of_another_worker(first)
    assert await harness.result("limits") == before
    assert "the job lowered for good: RLIMIT_NOFILE, the niceness" in caplog.text


async def test_stray_tasks_are_cancelled_and_their_output_is_the_job_s(harness: Harness) -> None:
    token = await harness.start("leave_task")
    assert (await harness.ending(token)).kind is EndingKind.COMPLETED
    assert harness.text(token) == "stray task cleaned up\n"
    assert harness.pool.statistics().started == 1


@pytest.mark.parametrize("target", ["use_thread", "leave_quick_thread", "leave_ended_child", "close_loop"])
async def test_what_ends_soon_is_no_reason_to_go(harness: Harness, target: str) -> None:
    for _ in range(2):
        await harness.end(target)
    assert await harness.result("nothing_async", 1) == 1
    assert harness.pool.statistics().started == 1


@pytest.mark.parametrize(
    "target",
    ["leave_thread", "leave_talking_thread", "leave_progress_bar", "leave_stubborn_task", "close_kept_descriptors"],
)
async def test_a_worker_that_cannot_be_cleaned_is_replaced(harness: Harness, target: str) -> None:
    first = await harness.result("pid")
    assert (await harness.end(target)).kind is EndingKind.COMPLETED
    await until(lambda: is_gone(first), seconds=2)
    assert await harness.result("pid") != first
    assert harness.pool.statistics().crashed_total == 0


async def test_a_thread_left_behind_says_nothing_in_a_later_job(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await harness.end("leave_talking_thread")).kind is EndingKind.COMPLETED
    token = await harness.start("sleep", 0.1)
    await harness.ending(token)
    assert harness.text(token) == ""
    assert [changes.progress for changes in harness.progress[token]] == [None]
    assert "the job left behind: thread talker of module tests.unit.workers.mischief" in caplog.text


@pytest.mark.parametrize(
    ("target", "modules"),
    [("leave_progress_bar", ("tqdm",)), ("leave_talking_thread", ("tests.unit",)), ("leave_thread", ("*",))],
)
async def test_threads_of_the_modules_named_may_stay(target: str, modules: tuple[str, ...]) -> None:
    async with running(lasting_threads=modules) as harness:
        worker = await harness.result("pid")
        await harness.end(target)
        assert await harness.result("pid") == worker


@pytest.mark.parametrize("target", ["leave_child", "leave_daemon"])
async def test_processes_left_behind_are_gone_within_two_seconds(harness: Harness, target: str) -> None:
    worker = await harness.result("pid")
    left = await harness.result(target)
    await until(lambda: is_gone(left) and is_gone(worker), seconds=2)
    assert await harness.result("echo", 1) == 1


async def test_a_daemon_of_a_worker_that_died_is_gone_within_two_seconds(harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert (await harness.end("leave_daemon_and_die", str(path))).kind is EndingKind.CRASHED
    await until(lambda: is_gone(int(path.read_text())), seconds=2)


async def test_a_forked_copy_of_the_job_is_not_the_worker(harness: Harness) -> None:
    token = await harness.start("fork_and_return")
    assert json.loads((await harness.ending(token)).result or b"") == "child ended with 0"
    assert harness.progress == {}
    assert await harness.result("fork_and_exit", 3) == "child ended with 3"
    assert await harness.result("fork_and_fail") == "child ended with 1"
    assert await harness.result("echo", 1) == 1
    assert harness.pool.statistics().started == 1


async def test_three_hundred_jobs_leak_no_descriptor() -> None:
    before = open_descriptors()
    async with running(max_workers=2, min_workers=2) as harness:
        await harness.result("echo")
        warm = open_descriptors()
        for number in range(300):
            await harness.end("leave_process" if number % 30 == 29 else "say", 1)
        await until(lambda: harness.pool.free() == 2)
        assert open_descriptors() == warm
    assert open_descriptors() == before
