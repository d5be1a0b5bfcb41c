"""Pages of a job's log: from stored pieces to the lines a client reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcp_queue_plugin.model.log_pieces import LogPlace, StoredPiece
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery, Stream

PAGE_BYTES = 1024 * 1024
"""The most text a page carries; it then ends before its limit of lines."""

_LINE_FEED = 0x0A
_UNLIMITED = float("inf")


class LogExtent(NamedTuple):
    """Where the oldest piece of a log begins, and where the log ends."""

    begin: LogPlace = LogPlace()
    end: LogPlace = LogPlace()


def page(extent: LogExtent, pieces: Iterable[StoredPiece], query: LogQuery) -> LogPage:
    r"""The lines that ``query`` asks for.

    ``pieces`` are those of the asked stream, or of both, in their order, from the one on that the cursor points into;
    for a tail from the last one back. No more of them are taken than the page needs.

    Lines stand in the order in which they began, with the time of their beginning. They end with ``\n`` or ``\r\n``;
    bytes that are not UTF-8 are replaced. An entry that ``continues`` is more of a line that an earlier page has begun.
    A tail, and a page that begins where lines were dropped, does without such entries, unless there are no others.
    """
    if query.tail:
        lines, next_cursor = _tail(pieces, query.limit), extent.end.position
    else:
        lines, next_cursor = _from_cursor(extent, pieces, query)
    return LogPage(
        entries=tuple([line.entry() for line in lines]),
        next_cursor=next_cursor,
        end_cursor=extent.end.position,
        stdout_lines=extent.end.stdout_lines,
        stderr_lines=extent.end.stderr_lines,
        dropped_lines=extent.begin.stdout_lines + extent.begin.stderr_lines,
    )


def _from_cursor(extent: LogExtent, pieces: Iterable[StoredPiece], query: LogQuery) -> tuple[list[_Line], int]:
    begins_torn = query.cursor < extent.begin.position
    gathering = _Gathering(query.limit, PAGE_BYTES, counts_torn=not begins_torn)
    for piece in pieces:
        rest = gathering.take(piece, max(0, query.cursor - piece.position))
        if rest is not None:
            next_cursor = rest
            break
    else:
        next_cursor = extent.end.position
    return _whole(gathering.lines) if begins_torn else gathering.lines, next_cursor


def _tail(pieces: Iterable[StoredPiece], limit: int) -> list[_Line]:
    newest: list[StoredPiece] = []
    lines = size_bytes = 0
    for piece in pieces:
        newest.append(piece)
        lines += piece.lines
        size_bytes += len(piece.data)
        if lines >= limit or size_bytes >= PAGE_BYTES:
            break
    gathering = _Gathering(_UNLIMITED, _UNLIMITED)
    for piece in reversed(newest):
        gathering.take(piece)
    return _fitting(_whole(gathering.lines)[-limit:])


def _whole(lines: list[_Line]) -> list[_Line]:
    """``lines`` without those whose beginning is missing, unless there are no others."""
    return [line for line in lines if not line.continues] or lines


def _fitting(lines: list[_Line]) -> list[_Line]:
    """The last of ``lines``, as many as fit into a page, but at least one."""
    free_bytes = PAGE_BYTES
    for count, line in enumerate(reversed(lines)):
        free_bytes -= line.size_bytes
        if free_bytes < 0 < count:
            return lines[-count:]
    return lines


class _Line:
    """A line as it is gathered from the pieces it spans."""

    __slots__ = ("continues", "parts", "stream", "written_at")

    def __init__(self, piece: StoredPiece, *, continues: bool) -> None:
        self.stream = piece.stream
        self.written_at = piece.written_at
        self.continues = continues
        self.parts: list[bytes] = []

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.parts))

    def entry(self) -> LogEntry:
        data = b"".join(self.parts)
        if data.endswith(b"\n"):
            data = data[:-1].removesuffix(b"\r")
        return LogEntry(self.stream, self.written_at, data.decode("utf-8", errors="replace"), self.continues)


class _Gathering:
    """Lines gathered from pieces in their order, until there are ``limit`` of them or ``max_bytes`` bytes."""

    def __init__(self, limit: float, max_bytes: float, *, counts_torn: bool = True) -> None:
        """Count lines whose beginning is missing only if ``counts_torn``."""
        self.lines: list[_Line] = []
        self._open: dict[Stream, _Line] = {}
        """Lines whose end has not come yet."""
        self._free_lines = limit
        self._free_bytes = max_bytes
        self._counts_torn = counts_torn

    def take(self, piece: StoredPiece, begin: int = 0) -> int | None:
        """Take what ``piece`` holds from its byte ``begin`` on; the position of what does not fit, None if all does."""
        data = piece.data
        while begin < len(data):
            end = data.find(b"\n", begin) + 1 or len(data)
            line = self._line(piece, begin, end)
            if line is None:
                return piece.position + begin
            line.parts.append(data[begin:end])
            self._free_bytes -= end - begin
            if data[end - 1] == _LINE_FEED:
                self._open.pop(piece.stream, None)
            else:
                self._open[piece.stream] = line
            begin = end
        return None

    def _line(self, piece: StoredPiece, begin: int, end: int) -> _Line | None:
        """The line that the bytes from ``begin`` to ``end`` belong to; None if they do not fit."""
        if self.lines and end - begin > self._free_bytes:
            return None
        continues = piece.data[begin - 1] != _LINE_FEED if begin else piece.continues
        if continues and piece.stream in self._open:
            return self._open[piece.stream]
        line = _Line(piece, continues=continues)
        if continues and piece.data[begin:end] in _LINE_ENDS:
            # All of the line was there before, so there is nothing to tell.
            return line
        if self._free_lines <= 0:
            return None
        if self._counts_torn or not continues:
            self._free_lines -= 1
        self.lines.append(line)
        return line


_LINE_ENDS = (b"\n", b"\r\n")
