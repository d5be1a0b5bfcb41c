"""The write-ahead log stays bounded, and no commit depends on it."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.store.sqlite import SqliteStore, checkpoint, failures
from tests.contract.samples import add, applied
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs

NEVER = 1_000_000
FRAME_BYTES = 4096 + 24


def _size(path: Path) -> int:
    return path.stat().st_size


def _log_pages(path: Path) -> int:
    return _size(path.with_name(f"{path.name}-wal")) // FRAME_BYTES


async def _commit(store: SqliteStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        await applied(store, add(f"job {number}", params=b"x" * 4096))


async def test_checkpoints_run_in_the_background(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 20)
    store = new_store()
    await store.open()
    empty = _size(path)
    commits = 0
    while _size(path) <= empty and commits < 2_000:
        await _commit(store, commits, 10)
        commits += 10
    assert _size(path) > empty
    assert any(thread.name.startswith("checkpoint") for thread in threading.enumerate())
    await store.close()
    assert not any(thread.name.startswith("checkpoint") for thread in threading.enumerate())


async def test_the_log_starts_over_once_all_of_it_was_copied(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 20)
    store = new_store()
    await store.open()
    for number in range(0, 100, 10):
        await _commit(store, number, 10)
        _copy_all(path)
    assert 20 < _log_pages(path) < 1000, "a hundred commits write some thousand pages"


def _copy_all(path: Path) -> None:
    """Help a checkpoint that may be running to its end."""
    helper = apsw.Connection(str(path))
    helper.pragma("user_version")
    for _ in range(10_000):
        with suppress(apsw.BusyError):
            in_log, copied = helper.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if in_log == copied:
                break
    helper.close()


async def test_a_log_that_outgrows_its_limit_starts_over(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", NEVER)
    monkeypatch.setattr(checkpoint, "RESTART_PAGES", 100)
    store = new_store()
    await store.open()
    most = 0
    for number in range(60):
        await _commit(store, number, 1)
        most = max(most, _log_pages(path))
    assert 50 < most < 120


async def test_a_reader_in_the_way_only_postpones_that(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint, "RESTART_PAGES", 20)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 10)
    monkeypatch.setattr(failures, "BUSY_TIMEOUT_MILLISECONDS", 60_000)
    store = new_store()
    await store.open()
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT * FROM jobs").fetchall()
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(10):
            await _commit(store, 0, 5)
    # Not with every commit: some pages have to have come to it since the last time.
    assert 0 < caplog.text.count("could not start over") < 5
    reader.close()
    for number in range(5, 15):
        await _commit(store, number, 1)
    size = _log_pages(path)
    for number in range(15, 40):
        await _commit(store, number, 1)
    assert _log_pages(path) == size


async def test_a_failed_checkpoint_fails_no_commit(
    new_store: NewStore, vfs: FaultyVfs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 5)
    store = new_store(vfs=vfs.name)
    await store.open()
    vfs.faults["write jobs.db"] = apsw.IOError("disk I/O error")
    with caplog.at_level(logging.WARNING):
        await _commit(store, 0, 20)
        vfs.faults.clear()
        await store.close()
    assert "A checkpoint of the store failed" in caplog.text
    again = new_store(vfs=vfs.name)
    await again.open()
    assert (await again.counts()).by_state == {"queued": 20}


async def test_a_commit_stands_even_if_no_thread_can_be_had_for_a_checkpoint(
    new_store: NewStore, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 5)
    store = new_store()
    await store.open()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", fail)
        await _commit(store, 0, 20)
    assert "could not begin; a later one tries again: can't start new thread" in caplog.text
    empty = _size(path)
    commits = 20
    while _size(path) <= empty and commits < 2_000:
        await _commit(store, commits, 10)
        commits += 10
    assert _size(path) > empty
