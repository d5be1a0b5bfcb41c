"""Logs in the file: what is kept of them, and what reading them leaves behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Changes, Delete, Report
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import applied, finish, run_new
from tests.unit.store.conftest import NewStore
from tests.unit.store.faults import FaultyVfs

LOG_BYTES = 100_000


def report(job: Job, *texts: bytes) -> Report:
    return Report(token=job.token, changes=Changes(), log=tuple(LogPiece("stdout", 1.0, text) for text in texts))


async def run_writing(store: SqliteStore, job_id: str, texts: int) -> Job:
    """A job that writes ``texts`` times 10,000 bytes."""
    job = await run_new(store, job_id)
    for _ in range(texts):
        await store.apply([report(job, b"x" * 9_999 + b"\n")])
    return job


def stored(path: Path) -> tuple[int, int]:
    """How many pieces there are in the file, and how many bytes."""
    connection = apsw.Connection(str(path))
    try:
        sizes: list[Any] = [row[0] for row in connection.execute("SELECT length(data) FROM log_pieces").fetchall()]
        return len(sizes), sum(sizes)
    finally:
        connection.close()


async def test_what_is_dropped_or_deleted_is_gone_and_silence_costs_nothing(new_store: NewStore, path: Path) -> None:
    store = new_store(log_bytes=LOG_BYTES)
    await store.open()
    silent = await run_new(store, "silent")
    await applied(store, finish(silent.token))
    assert stored(path) == (0, 0)
    job = await run_writing(store, "a", 50)
    pieces, size_bytes = stored(path)
    assert 0 < size_bytes <= LOG_BYTES
    assert pieces <= 20
    await store.apply([finish(job.token), Delete("a")])
    assert stored(path) == (0, 0)


async def test_a_page_leaves_no_transaction_open(new_store: NewStore, path: Path) -> None:
    store = new_store()
    await store.open()
    job = await run_writing(store, "a", 50)
    for tail in (False, True):
        assert len((await store.log_page(job.uid, LogQuery(limit=1, tail=tail))).entries) == 1
    await store.apply([report(job, b"more\n")])
    other = apsw.Connection(str(path))
    other.pragma("user_version")
    assert other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
    other.close()


async def test_a_page_that_is_read_during_a_commit_is_of_one_state(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store(vfs=vfs.name)
    await store.open()
    job = await run_new(store, "a")
    await store.apply([report(job, b"before\n")])
    vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
    commit = asyncio.ensure_future(store.apply([report(job, b"after\n")]))
    await asyncio.sleep(0)
    page = await store.log_page(job.uid, LogQuery())
    assert (len(page.entries), page.stdout_lines, page.next_cursor) == (1, 1, 7)
    disk_is_ready.set()
    await commit
    page = await store.log_page(job.uid, LogQuery(cursor=page.next_cursor))
    assert [entry.line for entry in page.entries] == ["after"]


async def test_a_log_that_cannot_be_read_says_so_until_it_can(vfs: FaultyVfs, new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    job = await run_writing(store, "a", 50)
    await store.close()
    again = new_store(vfs=vfs.name)
    await again.open()
    assert len((await again.log_page(job.uid, LogQuery(limit=1))).entries) == 1
    vfs.faults["read"] = apsw.IOError("disk I/O error")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cannot be read: IOError"):
            await again.log_page(job.uid, LogQuery(tail=True))
    vfs.faults.clear()
    assert len((await again.log_page(job.uid, LogQuery(tail=True))).entries) == 50
