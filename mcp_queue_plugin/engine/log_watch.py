"""Who waits for what a job writes next: woken by the commit that brings it, never by a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.queries import Stream


class LogWatch:
    """One who waits for lines of ``stream``, or of both."""

    def __init__(self, stream: Stream | None) -> None:
        """Begin to wait."""
        self.stream = stream
        self.complete = False
        """The job has ended: no line is to come any more."""
        self._told = asyncio.Event()

    def tell(self, pieces: Iterable[LogPiece], *, complete: bool) -> None:
        """Wake up if ``pieces`` have something of the stream, or the log is ``complete``."""
        self.complete = self.complete or complete
        if complete or any(self.stream in (None, piece.stream) for piece in pieces):
            self._told.set()

    async def told(self) -> None:
        """Return as soon as ``tell`` has had something to tell since the last call."""
        await self._told.wait()
        self._told.clear()


class LogWatchers:
    """All who wait for lines, by the public id of the job."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._watches: dict[str, set[LogWatch]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._watches.values()))

    @contextmanager
    def watching(self, job_id: str, stream: Stream | None) -> Iterator[LogWatch]:
        """Wait for the lines of a job from now on, until the body ends."""
        watch = LogWatch(stream)
        self._watches.setdefault(job_id, set()).add(watch)
        try:
            yield watch
        finally:
            self._watches[job_id].remove(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    def notify(self, job_id: str, pieces: Iterable[LogPiece], *, complete: bool) -> None:
        """Tell who waits for lines of ``job_id`` that ``pieces`` were committed, and whether none is to come."""
        for watch in self._watches.get(job_id, ()):
            watch.tell(pieces, complete=complete)
