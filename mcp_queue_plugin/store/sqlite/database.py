"""The file: opened for one owner, checked, migrated, written in transactions, and closed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

import apsw

from mcp_queue_plugin.errors import StoreDamaged, StoreUnavailable
from mcp_queue_plugin.store.sqlite import header, schema
from mcp_queue_plugin.store.sqlite.checkpoint import Checkpointer
from mcp_queue_plugin.store.sqlite.failures import BUSY_TIMEOUT_MILLISECONDS, OF_THE_WORLD, failure
from mcp_queue_plugin.store.sqlite.looking import Execute, Row, snapshot_of
from mcp_queue_plugin.store.sqlite.ownership import Owner, Ownership, Succession

Durability = Literal["full", "normal"]

_CACHE_KIBIBYTES = 32 * 1024


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
        succession: Succession,
        vfs: str | None = None,
        migrations: Sequence[str] = schema.MIGRATIONS,
    ) -> None:
        """Describe the file at ``path``, to be owned by ``owner``; nothing is touched yet."""
        # Resolved, so that two ways to name the file meet at one lock, and a later chdir leads to the same file.
        self.path = path.resolve()
        self._durability = durability
        self._vfs = vfs
        self._migrations = migrations
        self._ownership = Ownership(self.path, owner, takes_over=succession.takes_over)
        self._on_abandoned = succession.on_abandoned
        self._checkpointer = Checkpointer(self._connect)
        self._open: _Open | None = None
        self._damage: StoreDamaged | None = None
        """What was found wrong with the file since it was opened."""

    def open(self) -> None:
        """Take the file for this process; make it, or bring it to the newest schema.

        Raises:
            StoreInUse: another server owns it.
            StoreRefused: it is not one of ours, or of a newer version; it is left untouched.
            StoreUnavailable: it cannot be read or written.

        """
        self._damage = None
        with self._watched("opened"):
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
            if self._damage is not None:
                # What is in the log stays there, where it is sound.
                held.writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            held.writer.close()
            if remove:
                for suffix in header.PARTS:
                    self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        finally:
            self._ownership.release()

    @asynccontextmanager
    async def transaction(self, on_commit: Callable[[], None]) -> AsyncIterator[apsw.Connection]:
        """Hold the write lock for the body, one at a time, and commit at its end; an error takes all back.

        The commit waits for the disk in a thread, so that the caller's loop goes on meanwhile; who reads then sees
        what was committed before. ``on_commit`` is called when the commit has succeeded, even if the caller was
        cancelled meanwhile.

        Raises:
            StoreDamaged: the file was found damaged, now or before: what is written to it might not be found again.
            StoreUnavailable: something could not be read or written; nothing of the body took effect.
        """
        with self._watched("written"):
            writer, _, commits = self._held()
            if self._damage is not None:
                raise StoreDamaged(self._damage.message, **self._damage.data)
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

    def fetch(self, sql: str, *values: str | float) -> Sequence[Row]:
        """All rows of a query, of committed changes only.

        Raises:
            StoreUnavailable: the file cannot be read.

        """
        with self._watched("read"):
            return self._held().reader.execute(sql, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[Execute]:
        """Queries of one and the same state of the file: what is committed meanwhile is not seen.

        The body, which must not suspend, calls what it is given with SQL and its values, and gets each row as it asks
        for it.

        Raises:
            StoreUnavailable: the file cannot be read.

        """
        with self._watched("read"), snapshot_of(self._held().reader) as execute:
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
    def _watched(self, done: str) -> Iterator[None]:
        """Translate what fails, and remember damage."""
        try:
            yield
        except OF_THE_WORLD as error:
            found = failure(error, self.path, done)
            if isinstance(found, StoreDamaged):
                self._damage = found
            raise found from error
