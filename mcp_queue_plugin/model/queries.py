"""What can be asked of a store, and the pages it answers with."""

from __future__ import annotations

from typing import Literal

import msgspec

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import Status

Order = Literal["newest", "oldest"]
Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class JobQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list. ``after_uid`` is the cursor: the uid of the last row of the page before.

    Without ``status`` deleted jobs are left out.
    """

    status: Status | None = None
    queue: str | None = None
    job_type: str | None = None
    command: str | None = None
    owner: str | None = None
    order: Order = "newest"
    after_uid: int | None = None
    limit: int = 100


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of jobs and how many match in all; ``next_uid`` is the cursor of the next page, None at the end."""

    jobs: tuple[Job, ...]
    total_count: int
    next_uid: int | None


RESULT_PIECE_MAX_BYTES = 1_048_576
"""A result is read in pieces of at most so many bytes."""


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which log lines to read: up to ``limit`` of them from ``cursor`` on, or with ``tail`` the last ones.

    A cursor is a position in the log, the same whatever ``stream`` is asked for.
    """

    stream: Stream | None = None
    cursor: int = 0
    limit: int = 1000
    tail: bool = False


class LogEntry(msgspec.Struct, frozen=True):
    """One line, without its line end; or, if it ``continues``, more of the last line of its stream."""

    stream: Stream
    written_at: float
    line: str
    continues: bool = False


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of log lines; an empty one means that there are no more as yet.

    ``next_cursor`` is where the next page begins and ``end_cursor`` where the log ended when it was read. The totals
    count all lines the job has ever written, ``dropped_lines`` those of them that are not kept any more.
    """

    entries: tuple[LogEntry, ...]
    next_cursor: int
    end_cursor: int
    stdout_lines: int
    stderr_lines: int
    dropped_lines: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs stand in each state (``State`` values as keys; absent means none)."""

    by_state: dict[str, int]

    def of(self, *states: str) -> int:
        """The sum over ``states``."""
        return sum(self.by_state.get(state, 0) for state in states)
