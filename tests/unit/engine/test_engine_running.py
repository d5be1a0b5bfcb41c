"""Jobs that run: their ends, their stops, their deletions, and what becomes of them when somebody dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine import engine as engine_module
from mcp_queue_plugin.engine import stopping
from mcp_queue_plugin.errors import JobStateInvalid
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.workers.protocol import Setup
from tests.unit.engine.harness import SETUP, Host, hosting
from tests.unit.workers.harness import until


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting() as host:
        yield host


async def test_a_job_runs_to_its_result(host: Host) -> None:
    await host.submit("a", "echo", {"n": 1})
    ended = await host.end("a")
    assert (ended.job.state, ended.result, ended.job.attempt, ended.job.progress) == (
        State.COMPLETED,
        b'{"n": 1}',
        1,
        100,
    )
    assert host.ended == [("a", "completed")]
    assert (await host.status("a")).result == ended.result


async def test_a_job_that_raises_fails_with_its_message(host: Host) -> None:
    await host.submit("a", "fail", "no such luck")
    ended = await host.end("a")
    assert ended.job.state is State.FAILED
    assert ended.job.error is not None
    assert (ended.job.error.type, ended.job.error.message) == ("ValueError", "no such luck")


async def test_jobs_start_in_the_order_of_their_queueing_and_by_priority(tmp_path: Path) -> None:
    async with hosting(warm=False) as host:
        for job_id, priority in (("low", -1), ("first", 0), ("second", 0), ("urgent", 5)):
            await host.submit(job_id, "echo", None, priority=priority)
        host.engine.warm_up(SETUP)
        await host.end("low")
        assert [job_id for job_id, _ in host.ended] == ["urgent", "first", "second", "low"]


async def test_never_more_run_than_allowed(tmp_path: Path) -> None:
    release = tmp_path / "release"
    async with hosting(max_concurrent_jobs=2, min_workers=2) as host:
        for number in range(5):
            await host.submit(str(number), "hold", str(release))
        await host.working("0")
        await host.working("1")
        health = await host.engine.health()
        assert health.counts.by_state == {"working": 2, "queued": 3}
        assert health.workers.busy == 2
        release.touch()
        for number in range(5):
            assert (await host.end(str(number))).job.state is State.COMPLETED


async def test_a_job_that_comes_while_the_first_worker_starts_gets_a_worker_of_its_own(tmp_path: Path) -> None:
    async with hosting(max_concurrent_jobs=2, min_workers=1) as host:
        for job_id in "ab":
            await host.submit(job_id, "hold", str(tmp_path / "release"))
        for job_id in "ab":
            await asyncio.wait_for(host.working(job_id), 10)
        (tmp_path / "release").touch()


async def test_workers_are_started_as_jobs_need_them() -> None:
    async with hosting(max_concurrent_jobs=3, min_workers=0) as host:
        assert (await host.engine.health()).workers.started == 0
        await host.submit("a", "echo", 1)
        assert (await host.end("a")).result == b"1"


async def test_a_stop_answers_when_the_job_has_let_go_and_keeps_its_late_result(host: Host, tmp_path: Path) -> None:
    note = tmp_path / "note"
    await host.submit("a", "obey", str(note))
    await host.working("a")
    stopped = await host.stop("a", reason="enough")
    assert (stopped.job.state, stopped.job.reason, stopped.timed_out) == (State.STOPPED, "enough", False)
    assert note.read_text() == "stopped in order"
    assert (await host.status("a")).result == b'"partial"'
    assert host.ended == [("a", "stopped")]


async def test_a_deaf_job_is_killed_after_its_grace_time_and_the_next_one_runs(host: Host, tmp_path: Path) -> None:
    await host.submit("deaf", "hold", str(tmp_path / "never"), stop_grace_seconds=0.05)
    await host.working("deaf")
    assert (await host.stop("deaf")).job.state is State.STOPPED
    await host.submit("next", "echo", 1)
    assert (await host.end("next")).job.state is State.COMPLETED


async def test_a_stop_that_takes_too_long_answers_stopping_and_is_not_forgotten(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "WAIT_MAX_SECONDS", 0.05)
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    await host.working("a")
    first = await host.stop("a", grace_seconds=60, reason="first reason")
    assert (first.job.state, first.timed_out) == (State.STOPPING, True)
    second = await host.stop("a", grace_seconds=60, reason="second reason")
    assert (second.job.state, second.job.reason) == (State.STOPPING, "first reason")
    started_again = await host.start("a")
    assert started_again.job.state is State.STOPPING
    release.touch()
    assert (await host.end("a")).job.state is State.STOPPED


async def test_a_second_stop_can_only_hasten_the_first(host: Host, tmp_path: Path) -> None:
    await host.submit("a", "hold", str(tmp_path / "never"))
    await host.working("a")
    slow = asyncio.ensure_future(host.stop("a", grace_seconds=60))
    begin = time.monotonic()
    assert (await host.stop("a", grace_seconds=0)).job.state is State.STOPPED
    assert (await slow).job.state is State.STOPPED
    assert time.monotonic() - begin < 5


async def test_a_deleted_running_job_is_told_as_stopped_and_then_becomes_a_tombstone(
    host: Host, tmp_path: Path
) -> None:
    await host.submit("a", "obey", str(tmp_path / "note"))
    await host.working("a")
    deleted = await host.delete("a", reason="away with it")
    assert (deleted.job.state, deleted.job.reason, deleted.job.has_result) == (State.DELETED, "away with it", False)
    assert host.ended == [("a", "stopped")]
    await host.submit("a", "echo", "a new life")
    assert (await host.end("a")).result == b'"a new life"'


async def test_a_stop_and_a_deletion_at_once_both_get_their_answer(host: Host, tmp_path: Path) -> None:
    await host.submit("a", "obey", str(tmp_path / "note"))
    await host.working("a")
    stopped, deleted = await asyncio.gather(host.stop("a"), host.delete("a"))
    assert stopped.job.state in {State.STOPPED, State.DELETED}
    assert deleted.job.state is State.DELETED


async def test_starting_what_runs_changes_nothing_and_what_has_ended_is_refused(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    running = await host.working("a")
    assert (await host.start("a")).job.attempt == running.attempt
    release.touch()
    await host.end("a")
    with pytest.raises(JobStateInvalid) as refusal:
        await host.start("a")
    assert refusal.value.data["current_status"] == "completed"


async def test_a_job_whose_worker_died_runs_again(host: Host, tmp_path: Path) -> None:
    await host.submit("a", "die_once", str(tmp_path / "tried"))
    ended = await host.end("a")
    assert (ended.job.state, ended.result, ended.job.attempt, ended.job.crashes) == (
        State.COMPLETED,
        b'"second run"',
        2,
        1,
    )
    assert (await host.engine.health()).workers.crashed_total == 1


async def test_a_job_that_kills_its_workers_fails_at_last(host: Host) -> None:
    await host.submit("a", "die", None, max_crashes=2)
    ended = await host.end("a")
    assert (ended.job.state, ended.job.crashes) == (State.FAILED, 2)
    assert ended.job.error is not None
    assert ended.job.error.type == "WorkerCrashed"
    assert "SIGKILL" in ended.job.error.message


async def test_a_job_that_must_not_run_twice_fails_with_its_worker(host: Host, tmp_path: Path) -> None:
    await host.submit("fragile", "die", None, on_interrupt="fail")
    ended = await host.end("fragile")
    assert (ended.job.state, ended.job.attempt) == (State.FAILED, 1)
    assert ended.job.error is not None
    assert ended.job.error.type == "Interrupted"
    await host.submit("whole", "echo", 1, on_interrupt="fail")
    assert (await host.end("whole")).result == b"1"


async def test_what_runs_at_the_shutdown_goes_back_to_the_queue_uncounted(tmp_path: Path) -> None:
    store = MemoryStore(system_clock())
    runs = tmp_path / "runs"
    async with hosting(store) as host:
        await host.submit("a", "append_and_hold", str(runs))
        await until(runs.exists)
        await host.working("a")
        await host.close(0.05)
    job = await store.get("a")
    assert job is not None
    assert (job.state, job.crashes) == (State.QUEUED, 0)
    assert host.ended == []


async def test_what_ends_within_the_shutdowns_time_is_kept(tmp_path: Path) -> None:
    store = MemoryStore(system_clock())
    release = tmp_path / "release"
    async with hosting(store) as host:
        await host.submit("a", "hold", str(release))
        await host.working("a")
        closing = asyncio.create_task(host.close(20))
        release.touch()
        await closing
    job = await store.get("a")
    assert job is not None
    assert job.state is State.COMPLETED


async def test_an_abandoned_engine_leaves_its_jobs_to_the_next_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_MAX_SECONDS", 0.05)
    store = MemoryStore(system_clock())
    async with hosting(store) as host:
        await host.submit("a", "hold", str(tmp_path / "never"))
        await host.working("a")
        await host.engine.abandon()
        (recovered,) = await store.open()
        assert (recovered.state, recovered.crashes) == (State.QUEUED, 1)


async def test_workers_that_do_not_start_are_an_issue_and_jobs_wait() -> None:
    async with hosting(warm=False) as host:
        host.engine.warm_up(Setup(runner="tests.unit.workers.runners:raising", sys_path=SETUP.sys_path))
        await host.submit("a", "echo", 1)
        issues: tuple[str, ...] = ()
        while not issues:
            issues = (await host.engine.health()).issues
            await asyncio.sleep(0.01)
        (issue,) = issues
        assert issue.startswith("workers do not start: ")
        assert "no runner today" in issue
        assert (await host.status("a")).job.state is State.QUEUED
        host.engine.warm_up(SETUP)
        assert (await host.end("a")).result == b"1"
        assert (await host.engine.health()).issues == ()


async def test_a_new_setup_is_announced_once(host: Host) -> None:
    await until(lambda: host.ready)
    host.engine.warm_up(SETUP)
    await host.submit("a", "echo", 1)
    await host.end("a")
    assert len(host.ready) == 1
    assert host.ready[0].commands == ("echo",)


async def test_what_a_job_reports_and_writes_is_stored_with_its_end(host: Host) -> None:
    await host.submit("a", "chat", 500)
    ended = await host.end("a")
    assert (ended.job.description, ended.job.step, ended.job.progress) == ("said it all", "chatting", 100)
    page = await host.engine.reading.log("a", LogQuery(limit=10_000))
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        lines = [entry.line for entry in page.entries if entry.stream == stream]
        assert lines == [f"{word} {number}" for number in range(500)]
    assert (page.stdout_lines, page.stderr_lines) == (500, 500)


async def test_progress_is_seen_while_the_job_runs(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    known = (await host.working("a")).version
    answer = await host.status("a", wait_seconds=20, known_version=known)
    assert (answer.job.state, answer.job.description) == (State.WORKING, "holding")
    release.touch()
    await host.end("a")


async def test_a_thousand_jobs_each_end_once(host: Host) -> None:
    await asyncio.gather(*(host.submit(str(number), "echo", number) for number in range(1000)))
    await until(lambda: len(host.ended) == 1000)
    assert sorted(host.ended) == sorted((str(number), "completed") for number in range(1000))
    assert (await host.status("999")).result == b"999"
