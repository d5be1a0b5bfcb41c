"""A job's log as a store would keep it, to test the pure parts together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mcp_queue_plugin.model import log_limit, log_pages
from mcp_queue_plugin.model.log_lines import AttemptLog
from mcp_queue_plugin.model.log_pages import LogExtent
from mcp_queue_plugin.model.log_pieces import LogChunk, LogPiece, LogPlace, StoredPiece
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery, Stream

Part = tuple[Stream, bytes]


def chunks_of(*parts: Part) -> list[LogChunk]:
    """Chunks read one second after the other."""
    return [LogChunk(stream, float(second), data) for second, (stream, data) in enumerate(parts)]


def pieces_of(*parts: Part) -> tuple[LogPiece, ...]:
    """What one attempt that writes ``parts`` hands on, all at once."""
    attempt = AttemptLog()
    for chunk in chunks_of(*parts):
        attempt.add(chunk)
    return attempt.end()


def lines_of(page: LogPage) -> list[str]:
    return [entry.line for entry in page.entries]


class Log:
    """One job's log."""

    def __init__(self, *parts: Part, log_bytes: int = log_limit.LOG_BYTES) -> None:
        """Begin with what an attempt has written that writes ``parts``."""
        self.log_bytes = log_bytes
        self.pieces: list[StoredPiece] = []
        self.taken = 0
        """How many pieces the last page took."""
        self.append(pieces_of(*parts))

    @property
    def size_bytes(self) -> int:
        return sum(len(piece.data) for piece in self.pieces)

    def append(self, pieces: Iterable[LogPiece]) -> None:
        end = self.pieces[-1].end if self.pieces else LogPlace()
        added, first = log_limit.append(end, tuple(pieces), log_bytes=self.log_bytes)
        self.pieces = [piece for piece in self.pieces if piece.position >= first] + added

    def page(self, query: LogQuery | None = None) -> LogPage:
        query = query or LogQuery()
        extent = LogExtent(self.pieces[0].begin, self.pieces[-1].end) if self.pieces else LogExtent()
        asked = [piece for piece in self.pieces if query.stream in (None, piece.stream)]
        self.taken = 0
        return log_pages.page(extent, self._taken(asked[::-1] if query.tail else asked), query)

    def _taken(self, pieces: Iterable[StoredPiece]) -> Iterator[StoredPiece]:
        for piece in pieces:
            self.taken += 1
            yield piece

    def follow(self, cursor: int = 0, limit: int = 1000, stream: Stream | None = None) -> tuple[list[LogEntry], int]:
        """All entries from ``cursor`` on, page by page, and the cursor behind them."""
        entries: list[LogEntry] = []
        while (page := self.page(LogQuery(cursor=cursor, limit=limit, stream=stream))).entries:
            assert len(page.entries) <= limit
            assert page.next_cursor > cursor
            entries += page.entries
            cursor = page.next_cursor
        assert page.next_cursor == page.end_cursor
        return entries, page.next_cursor


def joined(entries: Iterable[LogEntry]) -> list[tuple[str, float, str]]:
    """Stream, time and text of each line, whatever the entries that it came in."""
    lines: list[tuple[str, float, str]] = []
    last: dict[str, int] = {}
    for entry in entries:
        if entry.continues and entry.stream in last:
            stream, written_at, text = lines[last[entry.stream]]
            lines[last[entry.stream]] = (stream, written_at, text + entry.line)
        else:
            last[entry.stream] = len(lines)
            lines.append((entry.stream, entry.written_at, entry.line))
    return lines
