"""A damaged store is refused and left as it is, whenever the damage is found."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.errors import StoreDamaged, StoreUnavailable
from mcp_queue_plugin.store.sqlite.failures import failure
from tests.contract.samples import add, applied
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs


@pytest.fixture
async def left(new_store: NewStore, path: Path, tmp_path: Path) -> Path:
    """What a kill has left of a store: jobs in the file, and more of them in its log."""
    folder = tmp_path / "left"
    folder.mkdir()
    store = new_store()
    await store.open()
    await store.apply([add(f"early {number}", params=b"x" * 2000) for number in range(200)])
    await store.close()
    store = new_store()
    await store.open()
    await store.apply([add(f"late {number}") for number in range(10)])
    for file in path.parent.glob("jobs.db*"):
        shutil.copy(file, folder)
    await store.close()
    return folder / path.name


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
    path.with_name("jobs.db-wal").unlink()


def cut_to_its_first_bytes(path: Path) -> None:
    os.truncate(path, 16)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def removed(path: Path) -> None:
    path.unlink()


def spoilt(path: Path) -> None:
    """All pages but the first are garbage, and the log covers few of them."""
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size_bytes - 4096))


def contents(folder: Path) -> dict[str, bytes]:
    """What holds jobs: neither the index of the log, which is made anew at every start, nor the lock."""
    parts = (file for file in folder.iterdir() if file.suffix in (".db", ".db-wal"))
    return {part.name: part.read_bytes() for part in parts if part.stat().st_size}


@pytest.mark.parametrize("damage", [cut_in_half, cut_to_its_first_bytes, emptied, removed, spoilt])
async def test_a_damaged_store_is_not_taken_and_not_changed(
    damage: Callable[[Path], None], left: Path, new_store: NewStore
) -> None:
    damage(left)
    before = contents(left.parent)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="the file is damaged and was left as it is") as refusal:
            await new_store(left).open()
        assert "mcp-queue store set-aside" in refusal.value.message
        assert contents(left.parent) == before


async def test_what_is_left_of_a_kill_is_no_damage(left: Path, new_store: NewStore) -> None:
    store = new_store(left)
    assert await store.open() == []
    assert (await store.counts()).by_state == {"queued": 210}


async def test_damage_that_is_found_while_it_runs_ends_all_writing(
    vfs: FaultyVfs, new_store: NewStore, path: Path
) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    await applied(store, add("a"))
    vfs.faults["read"] = apsw.CorruptError("database disk image is malformed")
    with pytest.raises(StoreDamaged):
        await store.counts()
    vfs.faults.clear()
    for operations in ([add("b")], []):
        with pytest.raises(StoreDamaged, match="database disk image is malformed"):
            await store.apply(operations)
    assert await store.get("a") is not None
    assert await store.get("b") is None

    before = contents(path.parent)
    assert before["jobs.db-wal"]
    await store.close()
    assert contents(path.parent) == before
    again = new_store()
    await again.open()
    assert await again.get("a") is not None


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space on its disk"),
        (errno.EDQUOT, "free some space on its disk"),
        (errno.EROFS, "make the file and its file system writable"),
        (errno.EMFILE, "raise the limit of open files"),
        (errno.ENOMEM, "free some memory"),
        (errno.EACCES, "check that this user may read and write"),
    ],
)
def test_the_kernels_own_word_decides_what_to_do(number: int, advice: str) -> None:
    found = failure(OSError(number, os.strerror(number)), Path("/srv/jobs.db"), "opened")
    assert not isinstance(found, StoreDamaged)
    assert f"the queue's store /srv/jobs.db cannot be opened: {type(OSError(number, '')).__name__}" in found.message
    assert advice in found.message


async def test_a_store_that_gets_no_descriptor_says_so(new_store: NewStore) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = new_store()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match=r"Too many open files.*; raise the limit of open files"):
            await store.open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    await store.open()


async def test_memory_that_is_missing_is_the_worlds_doing(new_store: NewStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store()
    await store.open()

    def fail() -> float:
        raise MemoryError

    monkeypatch.setattr(store, "_clock", fail)
    with pytest.raises(StoreUnavailable, match="MemoryError: ; free some memory"):
        await store.apply([add("a")])
    monkeypatch.undo()
    await applied(store, add("a"))
