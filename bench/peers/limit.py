"""The limit: a bare prototype of the same design, with nothing in it but what the design cannot do without.

Worker processes on socket pairs, SQLite in WAL mode with synchronous=FULL, one writer thread that commits whatever has
gathered meanwhile. No validation, no logs, no progress, no stop, no retries, no recovery.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bench.peers.limit_worker import LENGTH_BYTES, frame
from bench.peers.protocol import AsyncSystem, Peer
from bench.programs import ROOT
from bench.tasks import Call

SCHEMA = "CREATE TABLE job (id INTEGER PRIMARY KEY, params BLOB, result BLOB)"
INSERT = "INSERT INTO job (id, params) VALUES (?1, ?2)"
FINISH = "UPDATE job SET result = ?2 WHERE id = ?1"

Write = tuple[str, int, bytes]


class Writer:
    """The thread that commits; ``committed`` is called in the loop, once a group."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(SCHEMA)
        self._loop = asyncio.get_running_loop()
        self._writes: list[Write] = []
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run)
        self.committed = lambda writes: None

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def write(self, write: Write) -> None:
        """Have something written with the next group."""
        self._writes.append(write)
        self._wake.set()

    def stop(self) -> None:
        """Commit what there is and end."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            writes, self._writes = self._writes, []
            if writes:
                with self._connection:
                    for statement, job_id, blob in writes:
                        self._connection.execute(statement, (job_id, blob))
                self._loop.call_soon_threadsafe(self.committed, writes)


class Worker(asyncio.Protocol):
    """A worker process, seen from the engine: frames out in one write a turn of the loop, frames in."""

    def __init__(self, limit: Limit, slots: int) -> None:
        self._limit = limit
        self.free = slots
        self._received = bytearray()
        self._outgoing = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def run(self, job_id: int, params: bytes) -> None:
        """Send a job."""
        self.free -= 1
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing += frame(job_id, params)

    def data_received(self, data: bytes) -> None:
        """Take the results in."""
        self._received += data
        while len(self._received) >= 2 * LENGTH_BYTES:
            size = int.from_bytes(self._received[:LENGTH_BYTES], "little")
            end = 2 * LENGTH_BYTES + size
            if len(self._received) < end:
                break
            job_id = int.from_bytes(self._received[LENGTH_BYTES : 2 * LENGTH_BYTES], "little")
            result = bytes(self._received[2 * LENGTH_BYTES : end])
            del self._received[:end]
            self.free += 1
            self._limit.finished(job_id, result)
        self._limit.dispatch()

    def _flush(self) -> None:
        self._transport.write(bytes(self._outgoing))
        self._outgoing.clear()


class Limit(AsyncSystem):
    """The prototype: stored before it is acknowledged, its result stored before it is told."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        writer.committed = self._committed
        self.workers: list[Worker] = []
        self._ready: deque[tuple[int, bytes]] = deque()
        self._stored: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[bytes]] = {}
        self._last_id = 0

    async def submit(self, call: Call) -> int:
        """Hand in a job."""
        self._last_id += 1
        job_id, loop = self._last_id, asyncio.get_running_loop()
        stored: asyncio.Future[int] = loop.create_future()
        self._stored[job_id] = stored
        self._ended[job_id] = loop.create_future()
        self._writer.write((INSERT, job_id, msgspec.json.encode(call)))
        return await stored

    async def wait(self, handles: Sequence[int]) -> list[Any]:
        """Wait for the results."""
        results = [msgspec.json.decode(await self._ended[job_id]) for job_id in handles]
        for job_id in handles:
            del self._ended[job_id]
        return results

    def dispatch(self) -> None:
        """Give free workers what is ready."""
        for worker in self.workers:
            while worker.free and self._ready:
                worker.run(*self._ready.popleft())

    def finished(self, job_id: int, result: bytes) -> None:
        """Have a result stored."""
        self._writer.write((FINISH, job_id, result))

    def _committed(self, writes: Sequence[Write]) -> None:
        for statement, job_id, blob in writes:
            if statement is INSERT:
                self._ready.append((job_id, blob))
                self._stored.pop(job_id).set_result(job_id)
            else:
                self._ended[job_id].set_result(blob)
        self.dispatch()


@asynccontextmanager
async def start(slots: int, folder: Path, workers: int) -> AsyncIterator[Limit]:
    """Start the workers; each is sent up to ``slots`` jobs at once."""
    writer = Writer(folder / "limit.db")
    limit = Limit(writer)
    processes = []
    for _ in range(workers):
        process, connection = _worker_process()
        processes.append(process)
        loop = asyncio.get_running_loop()
        limit.workers.append((await loop.create_connection(lambda: Worker(limit, slots), sock=connection))[1])
    writer.start()
    try:
        yield limit
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        writer.stop()


def _worker_process() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        command = [sys.executable, "-m", "bench.peers.limit_worker", str(theirs.fileno())]
        return subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()]), ours


def _peer(slots: int) -> Peer:
    settings = f"bare prototype: SQLite, synchronous=FULL, grouped commits; {slots} in flight per worker"
    return Peer(f"limit, {slots} in flight", settings, ("apsw",), partial(start, slots))


PEERS = {"limit-1": _peer(1), "limit-4": _peer(4)}
