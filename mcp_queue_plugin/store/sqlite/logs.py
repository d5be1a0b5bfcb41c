"""What jobs wrote: appended inside a transaction, read page by page."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from operator import itemgetter

from mcp_queue_plugin.model import log_limit, log_pages
from mcp_queue_plugin.model.log_pages import LogExtent
from mcp_queue_plugin.model.log_pieces import LogPiece, LogPlace, StoredPiece
from mcp_queue_plugin.model.queries import STREAMS, LogPage, LogQuery
from mcp_queue_plugin.store.sqlite.looking import Execute, Look, Row
from mcp_queue_plugin.store.sqlite.queries import SQL


def append(execute: Execute, uid: int, pieces: Sequence[LogPiece], *, log_bytes: int) -> None:
    """Add ``pieces`` to a job's log, and drop the oldest beyond ``log_bytes``."""
    if not pieces:
        return
    end = max(_places(execute, "log_end", uid), default=LogPlace())
    added, first_position = log_limit.append(end, pieces, log_bytes=log_bytes)
    if first_position:
        execute(SQL["drop_log_pieces"], (uid, first_position))
    for piece in added:
        execute(SQL["insert_log_piece"], (uid, *piece))


def read_page(look: Look, uid: int, query: LogQuery) -> LogPage:
    """One page of a job's log."""
    with look.snapshot() as execute:
        begin = min(_places(execute, "log_begin", uid), default=LogPlace())
        end = max(_places(execute, "log_end", uid), default=LogPlace())
        streams = STREAMS if query.stream is None else (query.stream,)
        if query.tail:
            found = [execute(SQL["log_pieces_back"], (uid, stream)) for stream in streams]
        else:
            found = [execute(SQL["log_pieces"], (uid, stream, uid, stream, query.cursor)) for stream in streams]
        return log_pages.page(LogExtent(begin, end), _in_order(found, newest_first=query.tail), query)


def _places(execute: Execute, query: str, uid: int) -> list[LogPlace]:
    return [LogPlace._make(row) for stream in STREAMS for row in execute(SQL[query], (uid, stream))]


def _in_order(streams: Sequence[Iterator[Row]], *, newest_first: bool) -> Iterator[StoredPiece]:
    for row in heapq.merge(*streams, key=itemgetter(0), reverse=newest_first):
        position, stdout_lines, stderr_lines, stream, written_at, continues, lines, data = row
        yield StoredPiece(position, stdout_lines, stderr_lines, stream, written_at, bool(continues), lines, data)
