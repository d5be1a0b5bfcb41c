"""From what is read of a running attempt's streams to the pieces that are kept of it."""

from __future__ import annotations

from mcp_queue_plugin.model.log_pieces import LogChunk, LogPiece
from mcp_queue_plugin.model.queries import Stream

PIECE_BYTES = 65_536
"""What is read soon after each other is joined up to this size; a chunk that is larger stays in one piece."""

JOIN_SECONDS = 0.01
"""How much later than the first bytes of a piece its last may have been read: so exact is the time of a line."""

_LINE_FEED = 0x0A
_CARRIAGE_RETURN = 0x0D


class _Growing:
    """A piece that later chunks may still be joined to."""

    __slots__ = ("continues", "parts", "size_bytes", "stream", "written_at")

    def __init__(self, stream: Stream, written_at: float, data: bytes, *, continues: bool) -> None:
        self.stream = stream
        self.written_at = written_at
        self.continues = continues
        self.parts = [data]
        self.size_bytes = len(data)

    def joins(self, stream: Stream, written_at: float, data: bytes) -> bool:
        return (
            stream == self.stream
            and written_at - self.written_at <= JOIN_SECONDS
            and self.size_bytes + len(data) <= PIECE_BYTES
        )

    def piece(self) -> LogPiece:
        return LogPiece(self.stream, self.written_at, b"".join(self.parts), self.continues)


class AttemptLog:
    """Cuts what one attempt writes into pieces, whatever the chunks are in which it is read.

    A line without its end is handed on like any other, so that it can be seen at once, and what follows continues it.
    Nothing that was handed on is looked at again: a line of any length costs what its bytes cost. Only the beginning of
    a character, or a carriage return that may be half a line end, is held back for the next chunk.
    """

    __slots__ = ("_growing", "_held", "_open_streams", "size_bytes")

    def __init__(self) -> None:
        """Begin with nothing written."""
        self._growing: list[_Growing] = []
        self._open_streams: set[Stream] = set()
        """Those whose last line has not ended."""
        self._held: dict[Stream, LogChunk] = {}
        self.size_bytes = 0
        """How much ``take`` would hand on."""

    def add(self, chunk: LogChunk) -> None:
        """Go on with ``chunk``."""
        stream, data = chunk.stream, chunk.data
        if stream in self._held:
            data = self._held.pop(stream).data + data
        held = _unfinished_bytes(data)
        if held:
            self._held[stream] = LogChunk(stream, chunk.written_at, data[-held:])
            data = data[:-held]
        self._append(stream, chunk.written_at, data)

    def take(self) -> tuple[LogPiece, ...]:
        """What has come since the last call."""
        pieces = tuple([growing.piece() for growing in self._growing])
        self._growing.clear()
        self.size_bytes = 0
        return pieces

    def end(self) -> tuple[LogPiece, ...]:
        """The rest, with what was held back: nothing follows."""
        for chunk in self._held.values():
            self._append(chunk.stream, chunk.written_at, chunk.data)
        self._held.clear()
        return self.take()

    def _append(self, stream: Stream, written_at: float, data: bytes) -> None:
        if not data:
            return
        last = self._growing[-1] if self._growing else None
        if last is not None and last.joins(stream, written_at, data):
            last.parts.append(data)
            last.size_bytes += len(data)
        else:
            self._growing.append(_Growing(stream, written_at, data, continues=stream in self._open_streams))
        self.size_bytes += len(data)
        if data[-1] == _LINE_FEED:
            self._open_streams.discard(stream)
        else:
            self._open_streams.add(stream)


def _unfinished_bytes(data: bytes) -> int:
    """How many bytes at the end of ``data`` only make sense together with what follows, 3 at most."""
    if not data or data[-1] == _LINE_FEED:
        return 0
    if data[-1] == _CARRIAGE_RETURN:
        return 1
    for length, byte in enumerate(data[:-4:-1], start=1):
        if byte < 0x80:
            break
        if byte >= 0xC0:
            return length if length < _character_bytes(byte) else 0
    return 0


def _character_bytes(first: int) -> int:
    """How many bytes a UTF-8 character has that begins with the byte ``first``."""
    return 2 if first < 0xE0 else 3 if first < 0xF0 else 4
