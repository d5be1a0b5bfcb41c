"""Pages of a job's log: from stored pieces to the lines a client reads."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from mcp_queue_plugin.model.log_pieces import LogPlace, StoredPiece
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery, Stream

PAGE_BYTES = 1024 * 1024
"""The most text a page carries; it then ends before its limit of lines."""

_LINE_FEED = 0x0A
_LINE_ENDS = (b"\n", b"\r\n")
_UNLIMITED = sys.maxsize


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
        entries, next_cursor = _tail(pieces, query.limit), extent.end.position
    else:
        entries, next_cursor = _from_cursor(extent, pieces, query)
    return LogPage(
        entries=tuple(entries),
        next_cursor=next_cursor,
        end_cursor=extent.end.position,
        stdout_lines=extent.end.stdout_lines,
        stderr_lines=extent.end.stderr_lines,
        dropped_lines=extent.begin.stdout_lines + extent.begin.stderr_lines,
    )


def _from_cursor(extent: LogExtent, pieces: Iterable[StoredPiece], query: LogQuery) -> tuple[list[LogEntry], int]:
    begins_torn = query.cursor < extent.begin.position
    gathering = _Gathering(query.limit, PAGE_BYTES, counts_torn=not begins_torn)
    for piece in pieces:
        rest = gathering.take(piece, max(0, query.cursor - piece.position))
        if rest is not None:
            next_cursor = rest
            break
    else:
        next_cursor = extent.end.position
    return _whole(gathering.entries()) if begins_torn else gathering.entries(), next_cursor


def _tail(pieces: Iterable[StoredPiece], limit: int) -> list[LogEntry]:
    newest: list[StoredPiece] = []
    lines = size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece.data)
        if newest and size_bytes > PAGE_BYTES:
            break
        newest.append(piece)
        lines += piece.lines
        if lines >= limit:
            break
    gathering = _Gathering(_UNLIMITED, _UNLIMITED)
    for piece in reversed(newest):
        gathering.take(piece)
    return _whole(gathering.entries())[-limit:]


def _whole(entries: list[LogEntry]) -> list[LogEntry]:
    """``entries`` without those whose beginning is missing, unless there are no others."""
    return [entry for entry in entries if not entry.continues] or entries


class _OpenLine:
    """A line that lacks its end, or was continued: it is gathered from the pieces it spans."""

    __slots__ = ("continues", "parts", "stream", "written_at")

    def __init__(self, piece: StoredPiece, *, continues: bool) -> None:
        self.stream = piece.stream
        self.written_at = piece.written_at
        self.continues = continues
        self.parts: list[bytes] = []

    def entry(self) -> LogEntry:
        data = b"".join(self.parts)
        if data.endswith(b"\n"):
            data = data[:-1].removesuffix(b"\r")
        return LogEntry(self.stream, self.written_at, _text(data), self.continues)


class _Gathering:
    """Lines gathered from pieces in their order, until there are ``limit`` of them or ``max_bytes`` bytes."""

    def __init__(self, limit: int, max_bytes: int, *, counts_torn: bool = True) -> None:
        """Count lines whose beginning is missing only if ``counts_torn``."""
        self._lines: list[LogEntry | _OpenLine] = []
        self._open: dict[Stream, _OpenLine] = {}
        """Lines whose end has not come yet."""
        self._free_lines = limit
        self._free_bytes = max_bytes
        self._counts_torn = counts_torn

    def entries(self) -> list[LogEntry]:
        """What was gathered."""
        return [line.entry() if isinstance(line, _OpenLine) else line for line in self._lines]

    def take(self, piece: StoredPiece, begin: int = 0) -> int | None:
        """Take what ``piece`` holds from its byte ``begin`` on; the position of what does not fit, None if all does."""
        data = piece.data
        if begin < len(data) and (data[begin - 1] != _LINE_FEED if begin else piece.continues):
            line_end = data.find(b"\n", begin) + 1 or len(data)
            if not self._take_rest(piece, begin, line_end):
                return piece.position + begin
            begin = line_end
        last_line = data.rfind(b"\n", begin) + 1 or begin
        begin = self._take_ended(piece, begin, last_line)
        if begin < last_line or (begin < len(data) and not self._take_open(piece, begin)):
            return piece.position + begin
        return None

    def _take_rest(self, piece: StoredPiece, begin: int, end: int) -> bool:
        """Take more of a line that has begun before; False if it does not fit."""
        line = self._open.get(piece.stream)
        if line is None:
            if piece.data[begin:end] in _LINE_ENDS:
                # All of the line was there before: nothing to tell.
                return True
            if self._free_lines <= 0:
                return False
            line = _OpenLine(piece, continues=True)
        return self._add(line, piece.data[begin:end], counts=self._counts_torn)

    def _take_ended(self, piece: StoredPiece, begin: int, end: int) -> int:
        """Take whole lines, as many as fit of those from ``begin`` to ``end``; answers where what was taken ends."""
        if end - begin > self._free_bytes:
            end = piece.data.rfind(b"\n", begin, begin + self._free_bytes) + 1
        if end <= begin or self._free_lines <= 0:
            return begin
        lines = piece.data[begin : end - 1].split(b"\n", self._free_lines)
        if len(lines) > self._free_lines:
            end -= len(lines.pop()) + 1
        stream, written_at = piece.stream, piece.written_at
        self._lines += [LogEntry(stream, written_at, _text(line.removesuffix(b"\r"))) for line in lines]
        self._free_lines -= len(lines)
        self._free_bytes -= end - begin
        return end

    def _take_open(self, piece: StoredPiece, begin: int) -> bool:
        """Take a line that lacks its end; False if it does not fit."""
        if self._free_lines <= 0:
            return False
        return self._add(_OpenLine(piece, continues=False), piece.data[begin:], counts=True)

    def _add(self, line: _OpenLine, data: bytes, *, counts: bool) -> bool:
        """Add ``data`` to ``line``, and the line, should it be a new one; False if ``data`` does not fit."""
        if len(data) > self._free_bytes:
            return False
        self._free_bytes -= len(data)
        if not line.parts:
            self._lines.append(line)
            self._free_lines -= counts
        line.parts.append(data)
        if data[-1] == _LINE_FEED:
            self._open.pop(line.stream, None)
        else:
            self._open[line.stream] = line
        return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
