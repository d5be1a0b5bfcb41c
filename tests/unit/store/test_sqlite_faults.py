"""What the disk does to a store, and what the store makes of it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.model.admission import Limit
from mcp_queue_plugin.model.operations import Add, Applied, Delete, EndingKind, Operation, Refusal, SetQueue
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.queues import QueueFigures, QueueState
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import SqliteStore, database
from tests.contract.samples import add, applied, claim, everything, finish, outcome, refused, run_new, submission
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs

FAULTS = {
    "write -wal": apsw.FullError("database or disk is full"),
    "sync -wal": apsw.IOError("disk I/O error"),
}


@pytest.mark.parametrize("call", FAULTS)
async def test_a_failed_commit_changes_nothing_and_the_next_one_succeeds(
    call: str, vfs: FaultyVfs, new_store: NewStore
) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    first = await applied(store, add("first"))
    vfs.faults[call] = FAULTS[call]
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as failure:
            await store.apply([add("lost", params=b"x" * 10_000), Delete("first")])
        assert failure.value.data["reason"].startswith(type(FAULTS[call]).__name__)

    vfs.faults.clear()
    assert await store.get("first") == first
    assert await store.get("lost") is None
    assert (await store.counts()).by_state == {"queued": 1}
    second = await applied(store, add("second"))
    assert (second.uid, second.version) == (2, 2)

    await store.close()
    again = new_store(vfs=vfs.name)
    assert await again.open() == []
    page = await again.list_jobs(JobQuery())
    assert [job.job_id for job in page.jobs] == ["second", "first"]


TWO = Limit(scope="all", max_jobs=2, overflow="reject")


@pytest.mark.parametrize("call", FAULTS)
async def test_after_a_failed_commit_tallies_and_queues_are_as_they_were(
    call: str, vfs: FaultyVfs, new_store: NewStore
) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    job = await run_new(store, "running")
    await applied(store, add("waiting"))
    before = await everything(store)
    vfs.faults[call] = FAULTS[call]
    evicting = Limit(scope="all", max_jobs=1)
    with pytest.raises(StoreUnavailable):
        await store.apply(
            [
                finish(job.token, EndingKind.FAILED),
                SetQueue("default", paused=True),
                add("lost", params=b"x" * 10_000, limits=(evicting,)),
            ]
        )
    vfs.faults.clear()
    assert await everything(store) == before
    assert await refused(store, add("third", limits=(TWO,))) == (Refusal.QUEUE_FULL, None)
    ended = await outcome(store, finish(job.token, EndingKind.FAILED))
    assert isinstance(ended, Applied)
    assert ended.queue is not None
    assert (ended.queue.consecutive_failures, ended.queue.paused) == (1, False)
    await applied(store, add("third", limits=(TWO,)))


async def test_the_error_says_what_failed_and_what_to_do(vfs: FaultyVfs, new_store: NewStore, path: Path) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    vfs.faults["write"] = FAULTS["write -wal"]
    with pytest.raises(
        StoreUnavailable, match=r"cannot be written: FullError: .*; free some space on its disk"
    ) as error:
        await store.apply([add("a")])
    assert error.value.data["path"] == str(path)
    assert error.value.domain_code == "STORE_UNAVAILABLE"


async def test_a_result_is_kept_when_the_disk_works_again(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    await applied(store, add("a"))
    (job,) = await claim(store)
    vfs.faults["sync"] = FAULTS["sync -wal"]
    with pytest.raises(StoreUnavailable):
        await store.apply([finish(job.token, result=b"1")])
    vfs.faults.clear()
    await applied(store, finish(job.token, result=b"1"))
    assert await store.result(job.uid) == b"1"


async def test_a_store_that_cannot_be_read_is_not_taken(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    await store.close()
    vfs.faults["read"] = apsw.IOError("disk I/O error")
    with pytest.raises(StoreUnavailable, match="cannot be opened: IOError"):
        await new_store(vfs=vfs.name).open()
    await new_store().open()


async def test_a_strangers_lock_makes_the_store_unavailable_for_as_long_as_it_is_held(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MILLISECONDS", 1)
    store = new_store()
    await store.open()
    stranger = apsw.Connection(str(path))
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="BusyError"):
        await store.apply([add("a")])
    stranger.close()
    await applied(store, add("a"))


async def test_a_file_system_without_shared_memory_is_refused(new_store: NewStore) -> None:
    with pytest.raises(StoreUnavailable, match="choose a local disk"):
        await new_store(vfs="unix-none").open()


async def test_a_mistake_of_ours_stays_itself_and_takes_the_group_back(new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    broken = Add(submission=submission("\ud800"), params=b"", start=True)
    with pytest.raises(UnicodeEncodeError):
        await store.apply([add("a"), broken])
    assert await store.get("a") is None
    await applied(store, add("a"))


async def test_a_cancelled_group_is_committed_or_not_but_never_half(new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    for number in range(20):
        task = asyncio.ensure_future(store.apply([add(f"{number} a"), add(f"{number} b")]))
        await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        found = [await store.get(f"{number} {half}") for half in "ab"]
        assert (found[0] is None) == (found[1] is None)
        await applied(store, add(f"{number} after"))
        assert (await store.queues())["default"].pending == (await store.counts()).of(State.QUEUED)


async def test_a_commit_that_outlives_its_cancelled_caller_counts(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    job = await run_new(store, "running")
    vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
    waiting = add("waiting", options=JobOptions(queue="llm"))
    group: list[Operation] = [finish(job.token), waiting, SetQueue("llm", paused=True)]
    commit = asyncio.ensure_future(store.apply(group))
    assert await asyncio.to_thread(vfs.hangs.wait, 10)
    assert (await store.queues())["default"].running == 1
    commit.cancel()
    disk_is_ready.set()
    with pytest.raises(asyncio.CancelledError):
        await commit
    assert (await store.get("waiting")) is not None
    found = await store.queues()
    assert found["llm"] == QueueFigures(state=QueueState(name="llm", paused=True), pending=1)
    assert (found["default"].running, found["default"].state.processed_total) == (0, 1)
    await store.close()
    again = new_store(vfs=vfs.name)
    await again.open()
    assert await again.queues() == found


async def test_who_reads_during_a_commit_sees_what_was_committed_before(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
    commit = asyncio.ensure_future(store.apply([add("a")]))
    await asyncio.sleep(0)
    assert await store.get("a") is None
    assert (await store.counts()).by_state == {}
    assert await store.queues() == {}
    assert not commit.done()
    disk_is_ready.set()
    await commit
    assert await store.get("a") is not None
    assert (await store.counts()).by_state == {"queued": 1}


async def test_a_store_that_is_not_open_says_so(new_store: NewStore) -> None:
    store: SqliteStore = new_store()
    with pytest.raises(StoreUnavailable, match="is not open"):
        await store.apply([])
    with pytest.raises(StoreUnavailable, match="is not open"):
        await store.get("a")
