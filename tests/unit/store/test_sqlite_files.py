"""Which files a store takes, makes, leaves alone and removes."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import psutil
import pytest

from mcp_queue_plugin.errors import StoreRefused, StoreUnavailable
from mcp_queue_plugin.store.sqlite.header import APPLICATION_ID
from tests.contract.samples import add, applied
from tests.unit.store.conftest import NewStore


def _registry(path: Path) -> None:
    path.write_text('{"job_id": "a", "status": "completed"}\n')


def _text(path: Path) -> None:
    path.write_text("not a database at all")


def _foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (x); PRAGMA journal_mode = wal")
    connection.close()


def _newer(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", 99)
    connection.close()


def _empty(path: Path) -> None:
    path.touch()


def _directory(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _listing(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() if entry.is_file() else b"" for entry in folder.iterdir()}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_registry, "a registry of the adapter's own queue, and those are not taken over"),
        (_text, "not an SQLite database"),
        (_foreign, "the SQLite database of another program"),
        (_newer, "its schema has version 99, and this release knows versions up to 1"),
        (_directory, "a directory or a device"),
        (_pipe, "a directory or a device"),
    ],
)
async def test_what_is_not_ours_is_refused_by_name_and_left_untouched(
    make: Callable[[Path], None], reason: str, path: Path, new_store: NewStore
) -> None:
    make(path)
    before = _listing(path.parent)
    with pytest.raises(StoreRefused, match=reason) as refusal:
        await new_store().open()
    assert str(path) in refusal.value.message
    assert "choose another registry_path" in refusal.value.message
    assert _listing(path.parent) == before


async def test_an_empty_registry_file_is_told_by_its_name(tmp_path: Path, new_store: NewStore) -> None:
    path = tmp_path / "registry.jsonl"
    path.write_text("\n")
    with pytest.raises(StoreRefused, match="a registry of the adapter's own queue"):
        await new_store(path).open()


async def test_a_lock_file_of_somebody_else_is_left_untouched(path: Path, new_store: NewStore) -> None:
    _foreign(path)
    path.with_name("jobs.db.lock").write_text("theirs")
    before = _listing(path.parent)
    with pytest.raises(StoreRefused):
        await new_store().open()
    assert _listing(path.parent) == before


async def test_a_newer_version_that_only_the_log_knows_is_refused(
    path: Path, new_store: NewStore, tmp_path: Path
) -> None:
    store = new_store()
    await store.open()
    await store.close()
    upgrade = apsw.Connection(str(path))
    upgrade.wal_autocheckpoint(0)
    upgrade.pragma("user_version", 2)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for suffix in ("", "-wal"):
        (crashed / f"jobs.db{suffix}").write_bytes(path.with_name(f"jobs.db{suffix}").read_bytes())
    upgrade.close()
    before = _listing(crashed)
    with pytest.raises(StoreRefused, match="its schema has version 2"):
        await new_store(crashed / "jobs.db").open()
    assert before.items() <= _listing(crashed).items()


@pytest.mark.parametrize("name", ["jobs.db", "registry.jsonl"])
async def test_a_missing_file_and_its_folder_are_made_for_us_alone(
    tmp_path: Path, new_store: NewStore, name: str
) -> None:
    path = tmp_path / "var" / name
    store = new_store(path)
    await store.open()
    await applied(store, add("a"))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {entry.name.removeprefix(name): stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert modes == dict.fromkeys(["", "-wal", "-shm", ".lock"], 0o600)
    await store.close()
    assert [entry.name for entry in path.parent.iterdir()] == [name]


async def test_an_empty_file_becomes_a_store(path: Path, new_store: NewStore) -> None:
    _empty(path)
    await new_store().open()
    assert _listing(path.parent)["jobs.db"].startswith(b"SQLite format 3\0")


async def test_a_closed_store_holds_nothing(path: Path, new_store: NewStore) -> None:
    store = new_store()
    for _ in range(2):
        await store.open()
        await store.apply([add("a")])
        assert await store.get("a") is not None
        await store.close()
        assert list(_listing(path.parent)) == [path.name]
        assert not [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        assert not [file.path for file in psutil.Process().open_files() if file.path.startswith(str(path))]


async def test_a_temporary_store_leaves_nothing(path: Path, new_store: NewStore) -> None:
    store = new_store(temporary=True)
    await store.open()
    await applied(store, add("a"))
    await store.close()
    assert list(path.parent.iterdir()) == []


async def test_a_store_says_what_it_can_do(path: Path, new_store: NewStore) -> None:
    kept, temporary = new_store().capabilities, new_store(temporary=True).capabilities
    assert (kept.backend, kept.durable, kept.path) == ("sqlite", True, str(path))
    assert not temporary.durable


async def test_a_folder_that_cannot_be_made_makes_the_store_unavailable(tmp_path: Path, new_store: NewStore) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"cannot be opened: .*check that this user may read and write"):
        await new_store(tmp_path / "file" / "jobs.db").open()


async def test_a_relative_path_is_fixed_when_it_is_given(
    tmp_path: Path, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = new_store(Path("here.db"))
    monkeypatch.chdir("/")
    await store.open()
    assert (tmp_path / "here.db").exists()
