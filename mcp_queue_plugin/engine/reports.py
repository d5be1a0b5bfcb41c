"""Progress and log of running attempts, gathered: a chatty job costs a few commits a second, not one per line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.log_lines import AttemptLog
from mcp_queue_plugin.model.log_pieces import LogChunk, LogPiece
from mcp_queue_plugin.model.operations import Changes, Outcome, OutcomeCallback, Report, merged

FLUSH_INTERVAL_SECONDS = 0.1
FLUSH_BYTES = 256 * 1024

BACKLOG_BYTES = 4 * 1024 * 1024
"""An attempt has to wait with its writing while so much of its log is not stored yet: the store fails, or is slow."""

NO_CHANGES = Changes()


class Submit(Protocol):
    """Takes a report; calls back when it is stored, or refused because the attempt is over."""

    def __call__(self, operation: Report, callback: OutcomeCallback | None, /) -> None:
        """Take ``operation``."""
        ...


class Reports:
    """What running attempts have reported and is not yet handed on."""

    def __init__(self, submit: Submit, hold_log: Callable[[Token, bool], None]) -> None:
        """Hand gathered reports to ``submit``; ``hold_log`` makes an attempt wait with its writing, or go on."""
        self._submit = submit
        self._hold_log = hold_log
        self._changes: dict[Token, Changes] = {}
        """Of those attempts that have something to hand on."""
        self._logs: dict[Token, AttemptLog] = {}
        """Of those that have written anything at all; kept to their end, because lines go on."""
        self._backlogs: dict[Token, int] = {}
        """How many bytes of their logs are handed on and not stored yet."""
        self._under_way: set[Token] = set()
        """Those whose last report by the timer is not stored yet. What comes meanwhile is gathered: a store that fails
        is owed one of them for each attempt, and not ten more every second."""
        self._timer: asyncio.TimerHandle | None = None

    def add_changes(self, token: Token, changes: Changes) -> None:
        """Remember the newest value of each field."""
        self._changes[token] = merged(self._changes.get(token, NO_CHANGES), changes)
        self._set_timer()

    def take_changes(self, token: Token) -> Changes:
        """What is gathered of an attempt's progress, so that it goes along with something else."""
        changes = self._changes.get(token, NO_CHANGES)
        if changes != NO_CHANGES:
            # Its log, if there is any, goes on as it would.
            self._changes[token] = NO_CHANGES
        return changes

    def add_log(self, token: Token, chunk: LogChunk) -> None:
        """Remember a piece of the log."""
        log = self._logs.get(token)
        if log is None:
            log = self._logs[token] = AttemptLog()
        log.add(chunk)
        self._changes.setdefault(token, NO_CHANGES)
        self._set_timer()
        if log.size_bytes >= FLUSH_BYTES:
            # Without the changes, which wait for the timer: however much it prints, a job's record is written no more
            # than ten times a second.
            self._report(token, NO_CHANGES)

    def end(self, token: Token) -> tuple[Changes, tuple[LogPiece, ...]]:
        """What is left of an attempt that has ended, so that it goes along with its end."""
        log = self._logs.pop(token, None)
        self._backlogs.pop(token, None)
        self._under_way.discard(token)
        return self._changes.pop(token, NO_CHANGES), () if log is None else log.end()

    def flush(self) -> None:
        """Hand on what is gathered, but for attempts whose last report is still under way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for token in [token for token in self._changes if token not in self._under_way]:
            if self._report(token, self._changes.pop(token), partial(self._on_flushed, token)):
                self._under_way.add(token)

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL_SECONDS, self.flush)

    def _report(self, token: Token, changes: Changes, on_stored: Callable[[], None] | None = None) -> bool:
        """Hand on what was written, and ``changes``; False if there is nothing to tell."""
        log = self._logs.get(token)
        size_bytes = 0 if log is None else log.size_bytes
        if not size_bytes and changes == NO_CHANGES:
            return False
        pieces = log.take() if log is not None and size_bytes else ()
        self._note_backlog(token, size_bytes)

        def callback(_: Outcome | QueueError) -> None:
            self._note_backlog(token, -size_bytes)
            if on_stored is not None:
                on_stored()

        self._submit(Report(token=token, changes=changes, log=pieces), callback)
        return True

    def _on_flushed(self, token: Token) -> None:
        self._under_way.discard(token)
        if token in self._changes:
            self._set_timer()

    def _note_backlog(self, token: Token, grown_bytes: int) -> None:
        if token not in self._logs:
            # It has never written, or is over.
            return
        before = self._backlogs.get(token, 0)
        backlog = self._backlogs[token] = before + grown_bytes
        if (before < BACKLOG_BYTES) != (backlog < BACKLOG_BYTES):
            self._hold_log(token, backlog >= BACKLOG_BYTES)
