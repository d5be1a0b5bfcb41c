"""Progress and log of running attempts, gathered: a chatty job costs a few commits a second, not one per line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Changes, LogChunk, Report, merged

FLUSH_INTERVAL_SECONDS = 0.1
FLUSH_BYTES = 256 * 1024

NO_CHANGES = Changes()


class _Gathered:
    __slots__ = ("changes", "chunks", "size_bytes")

    def __init__(self) -> None:
        self.changes = NO_CHANGES
        self.chunks: list[LogChunk] = []
        self.size_bytes = 0


class Reports:
    """What running attempts have reported and is not yet handed on."""

    def __init__(self, submit: Callable[[Report], None]) -> None:
        """Hand gathered reports to ``submit``."""
        self._submit = submit
        self._gathered: dict[Token, _Gathered] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add_changes(self, token: Token, changes: Changes) -> None:
        """Remember the newest value of each field."""
        gathered = self._of(token)
        gathered.changes = merged(gathered.changes, changes)

    def add_log(self, token: Token, chunk: LogChunk) -> None:
        """Remember a piece of the log."""
        gathered = self._of(token)
        gathered.chunks.append(chunk)
        gathered.size_bytes += len(chunk.data)
        if gathered.size_bytes >= FLUSH_BYTES:
            # Without the changes, which wait for the timer: however much it prints, a job's record is written no more
            # than ten times a second.
            self._submit(Report(token=token, changes=NO_CHANGES, log=tuple(gathered.chunks)))
            gathered.chunks.clear()
            gathered.size_bytes = 0

    def take(self, token: Token) -> tuple[Changes, tuple[LogChunk, ...]]:
        """What is gathered for an attempt that has ended, so that it goes along with its end."""
        gathered = self._gathered.pop(token, None)
        if gathered is None:
            return NO_CHANGES, ()
        return gathered.changes, tuple(gathered.chunks)

    def flush(self) -> None:
        """Hand everything on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for token in list(self._gathered):
            self._flush_one(token)

    def _of(self, token: Token) -> _Gathered:
        gathered = self._gathered.get(token)
        if gathered is None:
            gathered = self._gathered[token] = _Gathered()
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL_SECONDS, self.flush)
        return gathered

    def _flush_one(self, token: Token) -> None:
        changes, chunks = self.take(token)
        if chunks or changes != NO_CHANGES:
            self._submit(Report(token=token, changes=changes, log=chunks))
