"""Looking into a store without owning it: while a server runs, after a kill, and where nothing may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import apsw

from mcp_queue_plugin.errors import StoreDamaged, StoreUnavailable
from mcp_queue_plugin.model.queues import QueueFigures
from mcp_queue_plugin.store.sqlite import header
from mcp_queue_plugin.store.sqlite.failures import BUSY_TIMEOUT_MILLISECONDS, translated
from mcp_queue_plugin.store.sqlite.looking import Execute, Row, snapshot_of
from mcp_queue_plugin.store.sqlite.reading import SqliteReading
from mcp_queue_plugin.store.sqlite.schema import MIGRATIONS

PROBLEMS_MAX = 100


class SqliteReader(SqliteReading):
    """The reading half of the store at ``path``. It writes nothing that was committed, and takes no ownership."""

    def __init__(self, path: Path) -> None:
        """Describe the file; ``open`` opens it."""
        self.path = path.resolve()
        self._file = _ReadOnlyFile(self.path)
        super().__init__(self._file)

    def open(self) -> None:
        """Open the file and see that it is a store of this release.

        Raises:
            StoreRefused: it is not a store, or of another version.
            StoreDamaged: what is in it makes no sense.
            StoreUnavailable: it is not there, or cannot be read.

        """
        self._file.open()

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        self._file.close()

    async def queues(self) -> Mapping[str, QueueFigures]:
        """Every queue that has a state or a job that has not ended."""
        return self._read_live().figures()

    def problems(self) -> list[str]:
        """What is damaged in the file, in SQLite's words; it reads all of it."""
        found: list[str] = []
        try:
            with self._file.snapshot() as execute:
                for row in execute(f"PRAGMA integrity_check({PROBLEMS_MAX})", ()):
                    found += str(row[0]).splitlines()
        except StoreDamaged as error:
            # So bad that the check itself could not go on.
            found.append(error.data["reason"])
        return [problem for problem in found if problem != "ok"]


class _State(NamedTuple):
    """What tells one state of a file that nobody has open from another."""

    inode: int
    size_bytes: int
    modified_at_nanoseconds: int
    log_bytes: int


class _ReadOnlyFile:
    """The file, opened as its state allows.

    A server that owns the store has its write-ahead log beside it, and so has one that was killed: then SQLite shares
    the log with the server, or reads what was left. Without a log the file is at rest. Opening it in SQLite's usual way
    would make a log and an index of it, so it is read as if it could not change; whether it has is seen afterwards.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._connection: apsw.Connection | None = None
        self._at_rest: _State | None = None

    def open(self) -> None:
        with translated(self._path, "read"):
            header.check_kind(self._path)
            if not self._path.exists():
                raise self._unavailable("it is not there: no server has made it yet")
            if self._log.exists():
                self._connect_beside_log()
            else:
                self._connect_at_rest()
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def fetch(self, sql: str, *values: str | float) -> Sequence[Row]:
        with self._reading() as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[Execute]:
        with self._reading() as connection, snapshot_of(connection) as execute:
            yield execute

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        if self._connection is None:
            raise self._unavailable("it is not open")
        with translated(self._path, "read"):
            try:
                yield self._connection
            finally:
                # Goes before any error: what a server writes meanwhile looks like damage.
                if self._at_rest is not None and self._at_rest != self._state():
                    raise self._unavailable("a server has begun to use it meanwhile; look again")

    def _connect_beside_log(self) -> None:
        try:
            self._connect(f"file:{quote(str(self._path))}")
        except apsw.CantOpenError:
            # Nothing may be written here, and the index of the log is missing: an empty log needs none.
            if self._log.stat().st_size:
                raise
            self._connect_at_rest()

    def _connect_at_rest(self) -> None:
        self._at_rest = self._state()
        self._connect(f"file:{quote(str(self._path))}?immutable=1")

    def _connect(self, uri: str) -> None:
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MILLISECONDS)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("query_only", True)
            connection.pragma("trusted_schema", False)
            # Only the first read finds out whether the log and its index can be used.
            connection.pragma("user_version")
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _check(self) -> None:
        ((application_id,),) = self.fetch("PRAGMA application_id")
        ((version,),) = self.fetch("PRAGMA user_version")
        if not self._path.stat().st_size:
            raise self._unavailable("it is empty: no server has used it yet")
        if application_id != header.APPLICATION_ID:
            raise header.refusal(self._path, "it is the SQLite database of another program")
        newest = len(MIGRATIONS)
        header.check_version(self._path, version, newest=newest)
        if version < newest:
            raise self._unavailable(f"its schema has version {version}; a server makes {newest} of it at its start")

    def _state(self) -> _State:
        file = self._path.stat()
        log_bytes = self._log.stat().st_size if self._log.exists() else 0
        return _State(file.st_ino, file.st_size, file.st_mtime_ns, log_bytes)

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"the queue's store {self._path} cannot be read: {reason}", path=str(self._path), reason=reason
        )
