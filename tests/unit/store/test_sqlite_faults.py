"""What the disk does to a store, and what the store makes of it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.model.operations import Add, Delete
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.store.sqlite import SqliteStore, database
from tests.contract.samples import add, applied, claim, finish, submission
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs

FAULTS = {
    "write -wal": apsw.FullError("database or disk is full"),
    "sync -wal": apsw.IOError("disk I/O error"),
}


def _overwrite(path: Path, content: bytes) -> bytes:
    """Replace what is in the file and answer what was."""
    before = path.read_bytes()
    path.write_bytes(content)
    return before


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


async def test_a_damaged_store_is_not_taken(new_store: NewStore, path: Path) -> None:
    store = new_store()
    await store.open()
    await store.apply([add(f"job {number}") for number in range(50)])
    await store.close()
    healthy = _overwrite(path, b"")
    _overwrite(path, healthy[:4096] + b"\xff" * (len(healthy) - 4096))
    with pytest.raises(StoreUnavailable, match="the file is damaged"):
        await new_store().open()
    _overwrite(path, healthy)
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


async def test_who_reads_during_a_commit_sees_what_was_committed_before(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
    commit = asyncio.ensure_future(store.apply([add("a")]))
    await asyncio.sleep(0)
    assert await store.get("a") is None
    assert (await store.counts()).by_state == {}
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
