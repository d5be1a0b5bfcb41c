"""A look into a store without owning it sees what its owner sees, and changes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from mcp_queue_plugin.errors import StoreDamaged, StoreRefused, StoreUnavailable
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Delete, EndingKind, SetQueue
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.states import State, Status
from mcp_queue_plugin.store.protocol import JobReader
from mcp_queue_plugin.store.sqlite import SqliteStore
from mcp_queue_plugin.store.sqlite.header import APPLICATION_ID
from mcp_queue_plugin.store.sqlite.reader import SqliteReader
from tests.contract.samples import add, applied, finish, run_new
from tests.unit.store.conftest import NewStore, another_server

NOBODY = 65534
PARTS = ("", "-wal", "-shm")


async def seen(reader: JobReader) -> list[Any]:
    """All that a reader tells."""
    pages = [await reader.list_jobs(JobQuery(status=status)) for status in (None, Status.DELETED, Status.PENDING)]
    pages.append(await reader.list_jobs(JobQuery(queue="llm", order="oldest", limit=1)))
    jobs = [job for page in pages for job in page.jobs]
    documents = [(await reader.get(job.job_id), await reader.result(job.uid)) for job in jobs]
    logs = [await reader.log_page(job.uid, LogQuery(tail=tail)) for job in jobs for tail in (False, True)]
    return [pages, documents, logs, await reader.queues(), await reader.counts(), await reader.get("nobody")]


async def look(path: Path) -> list[Any]:
    reader = SqliteReader(path)
    reader.open()
    try:
        return await seen(reader)
    finally:
        reader.close()


@pytest.fixture
async def store(new_store: NewStore) -> SqliteStore:
    """One with a job in most states, a paused queue and a log, not checkpointed."""
    store = new_store()
    await store.open()
    job = await run_new(store, "done")
    pieces = (LogPiece("stdout", 4.0, b"out 1\nout 2\n"), LogPiece("stderr", 5.0, b"err\n"))
    await applied(store, finish(job.token, result=b'{"a": 1}', log=pieces))
    failing = await run_new(store, "failed")
    await applied(store, finish(failing.token, EndingKind.FAILED))
    await run_new(store, "working")
    await store.apply([add("gone"), Delete("gone"), add("created", start=False), SetQueue("llm", paused=True)])
    await store.apply([add(f"llm {number}", options=JobOptions(queue="llm")) for number in range(3)])
    return store


def files(path: Path) -> dict[str, bytes]:
    """What is in the folder of a store; the index of the log, which may be made anew at any time, only by name."""
    return {file.name: b"" if file.suffix == ".db-shm" else file.read_bytes() for file in path.parent.iterdir()}


def copy(path: Path, folder: Path) -> Path:
    """The store as a kill of its owner would leave it now."""
    for suffix in PARTS:
        shutil.copy(f"{path}{suffix}", folder)
    return folder / path.name


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can come to, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def by_somebody_who_may_only_read(folder: Path) -> Iterator[None]:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    try:
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            (folder / "new").touch()
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)


async def test_beside_its_owner(store: SqliteStore, path: Path) -> None:
    reader = SqliteReader(path)
    reader.open()
    assert await seen(reader) == await seen(store)
    await applied(store, add("one more"))
    assert await seen(reader) == await seen(store)
    reader.close()
    reader.close()
    await applied(store, add("and one"))
    assert await look(path) == await seen(store)


async def test_after_a_kill_and_nothing_is_changed(store: SqliteStore, path: Path, folder: Path) -> None:
    left = copy(path, folder)
    before = files(left)
    assert before["jobs.db-wal"]
    assert await look(left) == await seen(store)
    assert files(left) == before
    left.with_name("jobs.db-shm").unlink()
    assert await look(left) == await seen(store)


async def test_after_an_orderly_end_and_no_file_is_made(store: SqliteStore, path: Path) -> None:
    expected = await seen(store)
    await store.close()
    before = files(path)
    assert list(before) == ["jobs.db"]
    assert await look(path) == expected
    assert files(path) == before


@pytest.mark.parametrize("ended", ["killed", "orderly", "killed with an empty log"])
async def test_by_somebody_who_may_only_read(ended: str, store: SqliteStore, path: Path, folder: Path) -> None:
    expected = await seen(store)
    if ended == "killed":
        left = copy(path, folder)
    else:
        await store.close()
        left = Path(shutil.copy(path, folder))
        if ended == "killed with an empty log":
            left.with_name("jobs.db-wal").touch()
    before = files(left)
    with by_somebody_who_may_only_read(folder):
        assert await look(left) == expected
    assert files(left) == before


async def test_beside_the_server_of_somebody_else(folder: Path) -> None:
    path = folder / "jobs.db"
    with another_server(path), by_somebody_who_may_only_read(folder):
        (page, *_), *_ = await look(path)
    assert [(job.job_id, job.state) for job in page.jobs] == [("running", State.WORKING)]


async def test_a_log_that_cannot_be_used_is_never_passed_over(store: SqliteStore, path: Path, folder: Path) -> None:
    left = copy(path, folder)
    left.with_name("jobs.db-shm").unlink()
    with (
        by_somebody_who_may_only_read(folder),
        pytest.raises(StoreUnavailable, match=r"CantOpenError: .*; check that this user may read and write the file"),
    ):
        await look(left)


async def test_a_file_at_rest_that_changes_meanwhile_is_noticed(store: SqliteStore, path: Path) -> None:
    await store.close()
    reader = SqliteReader(path)
    reader.open()
    assert await reader.get("done") is not None
    await store.open()
    await applied(store, add("new"))
    with pytest.raises(StoreUnavailable, match="a server has begun to use it meanwhile; look again"):
        await reader.get("done")
    reader.close()
    assert await look(path) == await seen(store)


async def test_a_reader_writes_nothing(store: SqliteStore, path: Path) -> None:
    reader = SqliteReader(path)
    reader.open()
    for statement in ("DELETE FROM jobs", "PRAGMA user_version = 7"):
        with pytest.raises((StoreUnavailable, apsw.ReadOnlyError)):
            reader._file.fetch(statement)
    reader.close()
    assert await look(path) == await seen(store)


def _directory(path: Path) -> None:
    path.mkdir()


def _text(path: Path) -> None:
    path.write_text("a shopping list, which is no database " * 10)


def _foreign(path: Path) -> None:
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _version(path: Path, version: int) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", version)
    connection.close()


def _newer(path: Path) -> None:
    _version(path, 99)


def _older(path: Path) -> None:
    _version(path, 0)


def _nothing(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (_directory, StoreRefused, "a directory or a device"),
        (_text, StoreDamaged, "mcp-queue store set-aside"),
        (_foreign, StoreRefused, "the SQLite database of another program"),
        (_newer, StoreRefused, "its schema has version 99"),
        (_older, StoreUnavailable, "its schema has version 0; a server makes 1 of it"),
        (_nothing, StoreUnavailable, "it is not there"),
        (Path.touch, StoreUnavailable, "it is empty"),
    ],
)
async def test_what_is_no_store_is_refused(make: Any, error: type[Exception], words: str, path: Path) -> None:
    make(path)
    with pytest.raises(error, match=words):
        await look(path)


async def test_a_reader_that_is_not_open_says_so(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="it is not open"):
        await SqliteReader(path).get("a")


async def test_damage_is_found_and_named(store: SqliteStore, path: Path) -> None:
    await store.apply([add(f"job {number}", params=b"x" * 3000) for number in range(100)])
    await store.close()
    assert problems(path) == []
    overwrite(path, 0.5)
    assert problems(path)


def problems(path: Path) -> list[str]:
    reader = SqliteReader(path)
    reader.open()
    found = reader.problems()
    reader.close()
    return found


def overwrite(path: Path, share: float) -> None:
    """Spoil the page at this share of a file."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * share) // 4096 * 4096)
        file.write(b"\xff" * 4096)
