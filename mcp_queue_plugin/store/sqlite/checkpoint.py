"""Moves what commits wrote to the write-ahead log into the database, off the path of the commits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import apsw

from mcp_queue_plugin.store.sqlite.failures import BUSY_TIMEOUT_MILLISECONDS

CHECKPOINT_PAGES = 1_000
"""A checkpoint begins in the background when the log has grown by so many pages (of 4 KiB) since the last one."""

RESTART_PAGES = 4_096
"""A log of so many pages (16 MiB) starts over before the next commit. Its file stays as it is: to write over what is
there costs a commit half the wait for the disk that a file costs which grows."""

logger = logging.getLogger(__name__)


class Checkpointer:
    """Watches the size of the write-ahead log and keeps it bounded.

    A commit only appends to the log. The copying is done by a thread with a connection of its own, which no writer
    waits for. Under a load that never pauses the log cannot start over by itself, however much was copied; then it is
    made to in line, which is quick, because most of it has been copied before.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        """Open the thread's connection with ``connect``, when it is first needed."""
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._pages = 0
        self._pages_when_begun = 0
        self._restart_at = RESTART_PAGES

    def watch(self, connection: apsw.Connection) -> None:
        """Learn the size of the log from every commit of ``connection``, and let it do no checkpoints of its own."""
        connection.set_wal_hook(self._note_pages)

    def after_commit(self, connection: apsw.Connection) -> None:
        """Begin a checkpoint if one is due. What was committed stays so, whether it succeeds or not."""
        if self._pages < self._pages_when_begun:
            self._pages_when_begun = 0
        if self._pages >= self._restart_at:
            self._restart(connection)
        elif self._pages - self._pages_when_begun >= CHECKPOINT_PAGES and (
            self._running is None or self._running.done()
        ):
            self._pages_when_begun = self._pages
            self._begin()

    def close(self) -> None:
        """Wait for the running checkpoint and end the thread."""
        if self._executor is not None:
            self._executor.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._executor = self._connection = None

    def _note_pages(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _begin(self) -> None:
        self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        try:
            self._running = self._executor.submit(self._copy)
        except RuntimeError as error:
            # What was committed stays so, even where no thread can be had.
            logger.warning("A checkpoint of the store could not begin; a later one tries again: %s", error)

    def _copy(self) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
                # A connection learns that there is a log to copy when it first reads.
                self._connection.pragma("user_version")
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            logger.warning("A checkpoint of the store failed; the next one tries again: %s", error)

    def _restart(self, connection: apsw.Connection) -> None:
        if self._running is not None:
            self._running.result()
        try:
            # No commit waits for a reader, who may take minutes.
            connection.set_busy_timeout(0)
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        except apsw.Error as error:
            self._restart_at = self._pages + CHECKPOINT_PAGES
            logger.warning("The store's write-ahead log could not start over; a later commit tries again: %s", error)
        else:
            self._pages = self._pages_when_begun = 0
            self._restart_at = RESTART_PAGES
        finally:
            connection.set_busy_timeout(BUSY_TIMEOUT_MILLISECONDS)
