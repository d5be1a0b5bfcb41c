"""How much of a job's log is kept: the newest bytes, over both streams and all attempts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mcp_queue_plugin.model.log_pieces import LogPiece, LogPlace, StoredPiece

LOG_BYTES = 8 * 1024 * 1024
"""The limit of a store that is given none."""

PIECES_PER_LOG = 16
"""A piece takes at most this share of the limit. Pieces are dropped whole: so at least 15/16 of the limit are kept."""

PIECE_MAX_BYTES = 131_072
"""And it is never larger than this, so that any piece fits into a page."""

_LINE_FEED = 0x0A


class Appended(NamedTuple):
    """What an append does to a log: ``pieces`` are added, and those that begin before ``first_position`` dropped."""

    pieces: list[StoredPiece]
    first_position: int


def append(end: LogPlace, pieces: Sequence[LogPiece], *, log_bytes: int) -> Appended:
    """Append ``pieces`` to a log that ends at ``end`` and keeps at most ``log_bytes`` bytes.

    What would be dropped at once is not added. Nothing is dropped below the limit; of what is left the last piece
    always stays, so the end of a log and its totals can be told from it.
    """
    first = max(0, end.position + sum(len(piece.data) for piece in pieces) - log_bytes)
    part_bytes = min(log_bytes // PIECES_PER_LOG, PIECE_MAX_BYTES)
    kept: list[StoredPiece] = []
    for piece in pieces:
        for part in _parts(piece, first - end.position, part_bytes):
            stored = StoredPiece(*end, part.stream, part.written_at, part.continues, part.lines, part.data)
            if end.position >= first:
                kept.append(stored)
            end = stored.end
    return Appended(kept, first)


def _parts(piece: LogPiece, dropped_bytes: int, part_bytes: int) -> Iterable[LogPiece]:
    """``piece`` in parts of ``part_bytes`` at most, where the first ``dropped_bytes`` are a part by themselves."""
    if dropped_bytes >= len(piece.data) or (dropped_bytes <= 0 and len(piece.data) <= part_bytes):
        return (piece,)
    return _cut(piece, max(0, dropped_bytes), part_bytes)


def _cut(piece: LogPiece, dropped_bytes: int, part_bytes: int) -> Iterator[LogPiece]:
    data, continues = piece.data, piece.continues
    begin, end = 0, _character_begin(data, range(dropped_bytes, len(data)))
    while begin < len(data):
        if end > begin:
            yield LogPiece(piece.stream, piece.written_at, data[begin:end], continues)
            continues = data[end - 1] != _LINE_FEED
        begin, end = end, _part_end(data, end, part_bytes)


def _part_end(data: bytes, begin: int, part_bytes: int) -> int:
    """Where a part ends that begins at ``begin``: behind its last line, or else within a long one."""
    end = begin + part_bytes
    if end >= len(data):
        return len(data)
    line_end = data.rfind(b"\n", begin, end) + 1
    if line_end:
        return line_end
    if data[end] == _LINE_FEED:
        return end + 1
    return _character_begin(data, range(end, begin, -1))


def _character_begin(data: bytes, positions: range) -> int:
    """The first of ``positions`` where a character begins; the first of all if none is near, and it is no text."""
    return next((position for position in positions[:4] if data[position] & 0xC0 != 0x80), positions[0])
