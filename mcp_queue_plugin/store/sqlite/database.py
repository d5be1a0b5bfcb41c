"""The file: opened for one owner, checked, migrated, written in transactions, and closed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw

from mcp_queue_plugin.errors import StoreUnavailable
from mcp_queue_plugin.store.sqlite import header, schema
from mcp_queue_plugin.store.sqlite.checkpoint import Checkpointer
from mcp_queue_plugin.store.sqlite.ownership import Owner, Ownership

Durability = Literal["full", "normal"]

BUSY_TIMEOUT_MILLISECONDS = 1_000
"""How long to wait for a stranger (a backup, a shell) that holds a lock on the file."""

_CACHE_KIBIBYTES = 32 * 1024

_ACCESS = "check that this user may read and write the file and its folder"
_DAMAGE = "the file is damaged; move it away, or restore it from a backup"

_ADVICE: dict[type[Exception], str] = {
    apsw.FullError: "free some space on its disk",
    apsw.IOError: "check its disk",
    apsw.BusyError: "end the program that holds a lock on the file",
    apsw.ProtocolError: "end the program that holds a lock on the file",
    apsw.CorruptError: _DAMAGE,
    apsw.NotADBError: _DAMAGE,
    apsw.CantOpenError: _ACCESS,
    apsw.ReadOnlyError: _ACCESS,
    apsw.PermissionsError: _ACCESS,
    apsw.NoMemError: "free some memory",
    OSError: _ACCESS,
}
"""What the world can do to the file, and what to do about it. Any other error is a mistake of ours and stays itself."""


class _Open(NamedTuple):
    """What an open database holds: readers must not see what the writer has not committed yet."""

    writer: apsw.Connection
    reader: apsw.Connection
    commits: ThreadPoolExecutor


class Database:
    """An SQLite file of ours, owned by this object between ``open`` and ``close``."""

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability,
        owner: Owner,
        takes_over: bool,
        on_abandoned: Callable[[str], None],
        vfs: str | None = None,
        migrations: Sequence[str] = schema.MIGRATIONS,
    ) -> None:
        """Describe the file at ``path``, to be owned by ``owner``; nothing is touched yet.

        ``on_abandoned`` gets the mark of an owner that was killed, before anything is written.
        """
        # Resolved, so that two ways to name the file meet at one lock, and a later chdir leads to the same file.
        self.path = path.resolve()
        self._durability = durability
        self._vfs = vfs
        self._migrations = migrations
        self._ownership = Ownership(self.path, owner, takes_over=takes_over)
        self._on_abandoned = on_abandoned
        self._checkpointer = Checkpointer(self._connect)
        self._open: _Open | None = None

    def open(self) -> None:
        """Take the file for this process; make it, or bring it to the newest schema.

        Raises:
            StoreInUse: another server owns it.
            StoreRefused: it is not one of ours, or of a newer version; it is left untouched.
            StoreUnavailable: it cannot be read or written.

        """
        with self._translated_errors("opened"):
            header.check_kind(self.path)
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._ownership.take()
            try:
                header.check_header(self.path, newest=len(self._migrations))
                if former := self._ownership.former():
                    self._on_abandoned(former.mark)
                self._ownership.sign()
                writer = self._connect_and_migrate()
                self._open = _Open(writer, self._connect(), ThreadPoolExecutor(1, thread_name_prefix="commit"))
            except BaseException:
                self._ownership.release()
                raise

    def close(self, *, remove: bool) -> None:
        """Give the file back, all of it in one piece, or with ``remove`` delete it. Calling it again does nothing."""
        held, self._open = self._open, None
        if held is None:
            return
        try:
            held.commits.shutdown()
            self._checkpointer.close()
            held.reader.close()
            held.writer.close()
            if remove:
                for suffix in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        finally:
            self._ownership.release()

    @asynccontextmanager
    async def transaction(self, on_commit: Callable[[], None]) -> AsyncIterator[apsw.Connection]:
        """Hold the write lock for the body, which must not suspend, and commit at its end; an error takes all back.

        The commit waits for the disk in a thread, so that the caller's loop goes on meanwhile; who reads then sees
        what was committed before. ``on_commit`` is called when the commit has succeeded, even if the caller was
        cancelled meanwhile.

        Raises:
            StoreUnavailable: something could not be read or written; nothing of the body took effect.
        """
        with self._translated_errors("written"):
            writer, _, commits = self._held()
            writer.execute("BEGIN IMMEDIATE")
            commit: Future[object] | None = None
            try:
                yield writer
                commit = commits.submit(writer.execute, "COMMIT")
                await asyncio.wrap_future(commit)
            except BaseException:
                # In the thread, behind a commit that a cancelled caller has left there: it may yet succeed, and then
                # nothing is rolled back. The connection stays: to open anew would recover a failed commit's frames.
                with suppress(apsw.Error):
                    commits.submit(writer.execute, "ROLLBACK").result()
                if commit is not None and not commit.cancelled() and commit.exception() is None:
                    on_commit()
                raise
            on_commit()
            self._checkpointer.after_commit(writer)

    def fetch(self, sql: str, *values: str | float) -> Sequence[Sequence[Any]]:
        """All rows of a query, of committed changes only.

        Raises:
            StoreUnavailable: the file cannot be read.

        """
        with self._translated_errors("read"):
            return self._held().reader.execute(sql, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[Callable[..., Iterator[Sequence[Any]]]]:
        """Queries of one and the same state of the file: what is committed meanwhile is not seen.

        The body, which must not suspend, calls what it is given with SQL and its values, and gets each row as it asks
        for it.

        Raises:
            StoreUnavailable: the file cannot be read.

        """
        with self._translated_errors("read"), ExitStack() as at_end:
            reader = self._held().reader
            reader.execute("BEGIN")
            at_end.callback(_end_reading, reader)

            def execute(sql: str, values: Sequence[str | int]) -> Iterator[Sequence[Any]]:
                cursor = reader.execute(sql, values)
                at_end.callback(cursor.close)
                return cursor

            yield execute

    def _held(self) -> _Open:
        if self._open is None:
            raise StoreUnavailable(f"the queue's store {self.path} is not open", path=str(self.path))
        return self._open

    def _connect_and_migrate(self) -> apsw.Connection:
        # Made here and not by SQLite, which would let everybody read it; its side files take the mode over.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = self._connect()
        try:
            # Until the version is known nothing may be moved from the log into the file, not even by closing it.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            version = connection.pragma("user_version")
            header.check_version(self.path, version, newest=len(self._migrations))
            if version == 0:
                connection.pragma("application_id", header.APPLICATION_ID)
            if connection.pragma("journal_mode", "wal") != "wal":
                raise apsw.IOError("its file system cannot share memory between processes; choose a local disk")
            schema.migrate(connection, self._migrations)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        except BaseException:
            connection.close()
            raise
        self._checkpointer.watch(connection)
        return connection

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), vfs=self._vfs)
        connection.set_busy_timeout(BUSY_TIMEOUT_MILLISECONDS)
        # Without it a query that could use a partial index is planned anew at every execution: 15 µs.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.pragma("synchronous", self._durability)
        connection.pragma("mmap_size", 0)
        connection.pragma("cache_size", -_CACHE_KIBIBYTES)
        connection.pragma("temp_store", "memory")
        connection.pragma("trusted_schema", False)
        connection.wal_autocheckpoint(0)
        return connection

    @contextmanager
    def _translated_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except tuple(_ADVICE) as error:
            reason = f"{type(error).__name__}: {error}"
            advice = next(advice for kind, advice in _ADVICE.items() if isinstance(error, kind))
            raise StoreUnavailable(
                f"the queue's store {self.path} cannot be {done}: {reason}; {advice}",
                path=str(self.path),
                reason=reason,
            ) from error


def _end_reading(reader: apsw.Connection) -> None:
    # A query that has failed may have ended the transaction already.
    if reader.in_transaction:
        reader.execute("COMMIT")
