"""From the bytes a job wrote to the lines a client reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, cast

from mcp_queue_plugin.model.operations import LogChunk
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery, Stream


class _Line(NamedTuple):
    """A line as it is gathered from the chunks it spans."""

    stream: str
    written_at: float
    pieces: list[bytes]


def page(chunks: Sequence[LogChunk], query: LogQuery) -> LogPage:
    r"""The lines of ``chunks`` that ``query`` asks for.

    Lines stand in the order in which they began, with the time of the chunk that began them: what is written later
    never moves a line that is already there, so a cursor neither skips a line nor repeats one. A cursor is an index
    into the lines of the asked stream, or of both; one beyond the end means the end. A last line that still waits for
    its end counts as a line. Lines end with ``\n`` or ``\r\n``; bytes that are not UTF-8 are replaced.
    """
    lines = _gather(chunks)
    totals = Counter(line.stream for line in lines)
    if query.stream is not None:
        lines = [line for line in lines if line.stream == query.stream]
    begin = max(0, len(lines) - query.limit) if query.tail else min(query.cursor, len(lines))
    entries = tuple(_entry(line) for line in lines[begin : begin + query.limit])
    return LogPage(
        entries=entries,
        next_cursor=begin + len(entries),
        stdout_lines=totals["stdout"],
        stderr_lines=totals["stderr"],
    )


def _gather(chunks: Sequence[LogChunk]) -> list[_Line]:
    lines: list[_Line] = []
    open_lines: dict[str, _Line] = {}

    def begin(chunk: LogChunk) -> _Line:
        line = _Line(chunk.stream, chunk.written_at, [])
        lines.append(line)
        return line

    for chunk in chunks:
        *ended, rest = chunk.data.split(b"\n")
        for piece in ended:
            line = open_lines.pop(chunk.stream, None) or begin(chunk)
            line.pieces.append(piece)
        if rest:
            line = open_lines.get(chunk.stream) or begin(chunk)
            line.pieces.append(rest)
            open_lines[chunk.stream] = line
    return lines


def _entry(line: _Line) -> LogEntry:
    text = b"".join(line.pieces).removesuffix(b"\r").decode("utf-8", errors="replace")
    return LogEntry(stream=cast("Stream", line.stream), written_at=line.written_at, line=text)
