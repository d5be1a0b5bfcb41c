"""What is asked for in one turn shares one commit, and what a commit that fails means to whom."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine import engine as engine_module
from mcp_queue_plugin.errors import JobAlreadyExists, JobNotFound, StoreUnavailable
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.unit.engine.harness import DISK_FULL, SETUP, FragileStore, Host, hosting
from tests.unit.store.faults import FaultyVfs
from tests.unit.workers.harness import until


@pytest.fixture
def store() -> FragileStore:
    return FragileStore()


@pytest.fixture
async def host(store: FragileStore) -> AsyncIterator[Host]:
    async with hosting(store) as host:
        yield host


async def test_what_is_asked_in_one_turn_is_one_commit(store: FragileStore) -> None:
    async with hosting(store, warm=False) as host:
        answers = [host.submit(f"job {number}") for number in range(200)]
        await asyncio.gather(*answers)
    assert [group for group in store.groups if group] == [["Add"] * 200]


async def test_a_refused_operation_fails_nobody_else_in_its_group(store: FragileStore) -> None:
    async with hosting(store, warm=False) as host:
        asked = [host.add("a"), host.add("a"), host.start("nobody"), host.add("b"), host.stop("a"), host.delete("b")]
        first, second, third, fourth, fifth, sixth = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(second, JobAlreadyExists)
        assert isinstance(third, JobNotFound)
        states = [answer.job.state for answer in (first, fourth, fifth, sixth) if not isinstance(answer, BaseException)]
    assert states == [State.CREATED, State.CREATED, State.STOPPED, State.DELETED]
    assert len(store.groups) == 1


async def test_answers_come_after_the_commit_in_the_order_of_asking(store: FragileStore) -> None:
    order: list[str] = []

    async def ask(host: Host, job_id: str) -> None:
        await host.submit(job_id)
        order.append(job_id)

    async with hosting(store, warm=False) as host:
        await asyncio.gather(*(ask(host, job_id) for job_id in "abc"))
    assert order == ["a", "b", "c"]
    assert len(store.groups) == 1


async def test_a_failed_commit_fails_every_submission_of_its_group_and_stores_none(
    store: FragileStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(store, warm=False) as host:
        await host.add("before")
        store.write_failure = DISK_FULL
        asked = [host.add("a"), host.submit("b"), host.start("before"), host.stop("before"), host.delete("before")]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [repr(outcome) for outcome in outcomes] == [repr(StoreUnavailable(DISK_FULL))] * 5
        assert (await host.engine.health()).issues == ("the store does not take writes: the disk is full",)
        assert "the disk is full" in caplog.text
        store.write_failure = None
        for job_id in ("a", "b"):
            with pytest.raises(JobNotFound):
                await host.status(job_id)
        assert (await host.status("before")).job.state is State.CREATED
        await host.add("after")
        assert (await host.engine.health()).issues == ()


async def test_the_claim_and_the_end_of_a_quick_job_are_kept_together_until_the_store_takes_them(
    store: FragileStore,
) -> None:
    async with hosting(store, warm=False) as host:
        await host.submit("a", "echo", 1)
        store.write_failure = DISK_FULL
        host.engine.warm_up(SETUP)
        await until(lambda: store.groups.count(["Finish"]) >= 3)
        assert (await host.status("a")).job.state is State.QUEUED
        store.write_failure = None
        ended = await host.end("a")
        assert (ended.job.state, ended.job.attempt, ended.result) == (State.COMPLETED, 1, b"1")
        assert host.ended == [("a", "completed")]


async def test_the_end_of_a_job_is_kept_until_the_store_takes_it(
    host: Host, store: FragileStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    await host.working("a")
    await until(lambda: store.groups[-1] == ["Report"])
    store.write_failure = DISK_FULL
    release.touch()
    # The attempt has ended and its end was tried more than once.
    await until(lambda: sum("Finish" in group for group in store.groups) >= 3)
    assert (await host.status("a")).job.state is State.WORKING
    assert (await host.engine.health()).issues == ("the store does not take writes: the disk is full",)
    assert len([record for record in caplog.records if "The store failed" in record.message]) == 1
    store.write_failure = None
    ended = await host.end("a")
    assert (ended.job.state, ended.result) == (State.COMPLETED, b"null")
    assert (await host.engine.health()).issues == ()
    assert host.ended == [("a", "completed")]
    assert "The store takes writes again" in caplog.text


async def test_submissions_fail_at_once_while_results_wait_and_nothing_gets_lost(
    host: Host, store: FragileStore, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    await host.working("a")
    store.write_failure = DISK_FULL
    release.touch()
    await until(lambda: any("Finish" in group for group in store.groups))
    for number in range(20):
        with pytest.raises(StoreUnavailable):
            await host.submit(f"lost {number}")
    store.write_failure = None
    assert (await host.end("a")).job.state is State.COMPLETED
    await host.submit("next", "echo", 7)
    assert (await host.end("next")).result == b"7"


async def test_a_report_is_kept_too(host: Host, store: FragileStore, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("a", "hold", str(release))
    await host.working("a")
    store.write_failure = DISK_FULL
    await until(lambda: any("Report" in group for group in store.groups))
    store.write_failure = None
    release.touch()
    assert (await host.end("a")).job.description == "holding"


async def test_a_queued_job_runs_when_the_store_has_recovered_and_nobody_asks_for_anything(
    store: FragileStore, tmp_path: Path
) -> None:
    """The only worker becomes free while writes fail: nothing but the recovery can set the queue going again."""
    note = tmp_path / "note"
    async with hosting(store, warm=False) as host:
        await host.submit("a", "append", str(note))
        store.write_failure = DISK_FULL
        with pytest.raises(StoreUnavailable):
            await host.submit("b")
        host.engine.warm_up(SETUP)
        await until(lambda: host.ready)
        store.write_failure = None
        await until(note.exists, seconds=8)
        assert (await host.end("a")).job.state is State.COMPLETED
        assert len(note.read_text().splitlines()) == 1


async def test_a_queue_that_could_not_be_read_is_read_again(store: FragileStore) -> None:
    async with hosting(store, warm=False) as host:
        store.read_failure = DISK_FULL
        await host.submit("a", "echo", 1)
        host.engine.warm_up(SETUP)
        await until(lambda: host.ready and store.failed_reads)
        store.read_failure = None
        await until(lambda: host.ended == [("a", "completed")], seconds=8)


async def test_health_is_told_in_the_last_known_numbers_while_nothing_can_be_read(store: FragileStore) -> None:
    async with hosting(store, warm=False) as host:
        await host.submit("a")
        known = await host.engine.health()
        await host.submit("b")
        store.read_failure = DISK_FULL
        health = await host.engine.health()
        assert (health.counts, health.issues) == (known.counts, (DISK_FULL,))
        store.read_failure = None
        health = await host.engine.health()
        assert (health.counts.of(State.QUEUED), health.issues) == (2, ())


async def test_a_result_that_cannot_be_read_is_an_error_and_no_silence(host: Host, store: FragileStore) -> None:
    await host.submit("a", "echo", 1)
    await host.end("a")

    def fail() -> None:
        store.read_failure = DISK_FULL

    # The record is read first, then, on a turn of its own, its result.
    asked = asyncio.ensure_future(host.status("a"))
    asyncio.get_running_loop().call_soon(fail)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(asked, 3)


async def test_closing_with_a_store_that_stays_broken_gives_up_in_time(
    store: FragileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_MAX_SECONDS", 0.2)
    async with hosting(store) as host:
        await host.submit("a", "hold", str(tmp_path / "never"))
        await host.working("a")
        store.write_failure = DISK_FULL
        await host.close()
        assert "Finish" in store.groups[-1]
        store.write_failure = None
        (recovered,) = await store.open()
        assert (recovered.job_id, recovered.state) == ("a", State.QUEUED)


async def test_closing_commits_what_was_asked_for(store: FragileStore) -> None:
    host = Host(store)
    await host.engine.open()
    added = host.add("a")
    await host.close()
    assert (await added).job.state is State.CREATED
    assert await store.get("a") is not None


@pytest.fixture
def vfs(request: pytest.FixtureRequest) -> Iterator[FaultyVfs]:
    faulty = FaultyVfs(f"faulty engine {os.getpid()} {request.node.name}")
    yield faulty
    faulty.faults.clear()
    faulty.unregister()


async def test_a_full_disk_under_a_running_engine(vfs: FaultyVfs, tmp_path: Path) -> None:
    release = tmp_path / "release"
    store = SqliteStore(tmp_path / "queue.db", durability="full", clock=system_clock(), vfs=vfs.name)
    async with hosting(store) as host:
        await host.submit("a", "hold", str(release))
        await host.working("a")
        vfs.faults["write -wal"] = apsw.FullError("database or disk is full")
        with pytest.raises(StoreUnavailable, match="free some space"):
            await host.submit("b")
        release.touch()
        (issue,) = (await host.engine.health()).issues
        assert "free some space" in issue
        vfs.faults.clear()
        ended = await host.end("a")
        assert ended.job.state is State.COMPLETED
        await host.submit("b", "chat", 1)
        await host.end("b")
        page = await host.engine.reading.log("b", LogQuery())
        assert {entry.line for entry in page.entries} == {"out 0", "err 0"}
        assert (await host.engine.health()).issues == ()


async def test_a_group_that_writes_nothing_says_nothing_about_the_disk(
    vfs: FaultyVfs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(tmp_path / "queue.db", durability="full", clock=system_clock(), vfs=vfs.name)
    async with hosting(store, warm=False) as host:
        vfs.faults["write -wal"] = apsw.FullError("database or disk is full")
        with pytest.raises(StoreUnavailable, match="free some space"):
            await host.add("a")
        with pytest.raises(JobNotFound):
            await host.start("nobody")
        (issue,) = (await host.engine.health()).issues
        assert "free some space" in issue
        vfs.faults.clear()
        # Nobody asks for anything: it is found out by trying.
        await until(lambda: "The store takes writes again" in caplog.text)
        assert (await host.engine.health()).issues == ()


async def test_every_acknowledged_job_is_there_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    async with hosting(SqliteStore(path, durability="full", clock=system_clock())) as host:
        await asyncio.gather(*(host.submit(f"job {number}", "echo", number) for number in range(50)))
        first = await host.end("job 0")
    async with hosting(SqliteStore(path, durability="full", clock=system_clock())) as again:
        assert (await again.status("job 0")).result == first.result
        for number in range(50):
            assert json.loads((await again.end(f"job {number}")).result or b"") == number
