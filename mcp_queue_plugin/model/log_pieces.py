"""What a job writes, on its way from the pipe to the store: chunks as they are read, pieces as they are kept.

A place in a log is told by its position: how many bytes the job had written before, over both streams and all
attempts. Nothing moves a position: not what is written later, and not that the oldest pieces are dropped.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from mcp_queue_plugin.model.queries import Stream


class LogChunk(msgspec.Struct, frozen=True):
    """Bytes read from one stream of a running attempt, with the time of their reading."""

    stream: Stream
    written_at: float
    data: bytes


class LogPiece(msgspec.Struct, frozen=True):
    """What is kept of one stream in one go, in the order of its writing.

    It is never empty. Its last line may still lack its end; then the next piece of that stream ``continues`` it.
    Neither a character nor a line end is torn in two between them.
    """

    stream: Stream
    written_at: float
    data: bytes
    continues: bool = False
    """It begins with more of its stream's last line, and not with a line of its own."""

    @property
    def lines(self) -> int:
        """How many lines begin in it."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n")) - self.continues


class LogPlace(NamedTuple):
    """A place in a job's log: how many bytes, and how many lines of each stream, were begun before it."""

    position: int = 0
    stdout_lines: int = 0
    stderr_lines: int = 0


class StoredPiece(NamedTuple):
    """A piece where it stands in its job's log. The first three fields are its place, ``lines`` begin in it."""

    position: int
    stdout_lines: int
    stderr_lines: int
    stream: Stream
    written_at: float
    continues: bool
    lines: int
    data: bytes

    @property
    def begin(self) -> LogPlace:
        """The place before it."""
        return LogPlace(self.position, self.stdout_lines, self.stderr_lines)

    @property
    def end(self) -> LogPlace:
        """The place behind it."""
        return LogPlace(
            self.position + len(self.data),
            self.stdout_lines + (self.lines if self.stream == "stdout" else 0),
            self.stderr_lines + (self.lines if self.stream == "stderr" else 0),
        )
