"""A store that is set aside is moved whole, and overwrites nothing."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from mcp_queue_plugin.errors import StoreInUse, StoreRefused, StoreUnavailable
from mcp_queue_plugin.store.sqlite.aside import set_aside
from tests.contract.samples import add, applied
from tests.unit.store.conftest import NewStore

NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC).timestamp()
FOLDER = "jobs.db.set-aside-20260102T030405.678900Z"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def test_a_store_is_moved_with_its_log_and_the_next_is_a_new_one(
    new_store: NewStore, path: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    store = new_store()
    await store.open()
    await applied(store, add("a"))
    for file in path.parent.glob("jobs.db*"):
        shutil.copy(file, killed)
    before = contents(killed)
    del before["jobs.db.lock"]

    moved = set_aside(killed / "jobs.db", now=NOW)

    assert [file.name for file in moved] == ["jobs.db", "jobs.db-wal", "jobs.db-shm"]
    assert contents(killed / FOLDER) == before
    new = new_store(killed / "jobs.db")
    assert await new.open() == []
    assert (await new.counts()).by_state == {}
    old = new_store(moved[0])
    await old.open()
    assert await old.get("a") is not None


def test_a_damaged_one_is_moved_as_it_is(path: Path) -> None:
    path.write_bytes(b"\0" * 5000)
    (moved,) = set_aside(path, now=NOW)
    assert moved == path.parent / FOLDER / "jobs.db"
    assert moved.read_bytes() == b"\0" * 5000
    assert [file.name for file in path.parent.iterdir()] == [FOLDER]


def test_what_a_crash_in_between_has_left_is_moved_too(path: Path) -> None:
    path.with_name("jobs.db-wal").write_bytes(b"log")
    (moved,) = set_aside(path, now=NOW)
    assert moved.read_bytes() == b"log"


def test_nothing_is_overwritten(path: Path) -> None:
    path.write_bytes(b"first")
    (first,) = set_aside(path, now=NOW)
    path.write_bytes(b"second")
    with pytest.raises(StoreUnavailable, match="cannot be set aside: FileExistsError"):
        set_aside(path, now=NOW)
    assert (first.read_bytes(), path.read_bytes()) == (b"first", b"second")


async def test_a_store_in_use_stays_where_it_is(new_store: NewStore, path: Path) -> None:
    store = new_store()
    await store.open()
    with pytest.raises(StoreInUse, match=rf"is owned by the server with process id {os.getpid()}, which started at .*: stop it first"):
        set_aside(path, now=NOW)
    await applied(store, add("a"))


def _foreign(path: Path) -> None:
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _registry(path: Path) -> None:
    path.write_text('{"job_id": "a"}\n')


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_foreign, _registry, _directory])
def test_what_is_somebody_elses_stays_where_it_is(make: type, path: Path) -> None:
    make(path)
    with pytest.raises(StoreRefused):
        set_aside(path, now=NOW)
    assert [file.name for file in path.parent.iterdir()] == ["jobs.db"]


def test_nothing_there_is_said(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"there is no store at .*jobs\.db to set aside"):
        set_aside(path, now=NOW)
