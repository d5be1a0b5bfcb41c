"""The engine's end of the border: opens and closes the engine, passes requests on, tells the server what happens."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from mcp_queue_plugin.clock import Clock, system_clock
from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.engine.channel import Channel
from mcp_queue_plugin.engine.engine import Engine
from mcp_queue_plugin.engine.loops import Soon
from mcp_queue_plugin.engine.requests import Requests, Serving
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.errors import EngineStartFailed, QueueError
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.store.protocol import OPERATIONS_PER_TURN
from mcp_queue_plugin.store.sqlite import Owner, SqliteStore, Succession
from mcp_queue_plugin.workers import orphans
from mcp_queue_plugin.workers.protocol import Frame, Ready, decode, encode

Handler = Callable[["Service", Frame], Coroutine[Any, Any, None] | None]

logger = logging.getLogger(__name__)


class Service:
    """Serves one server over one socket."""

    def __init__(self, sock: socket.socket) -> None:
        """Serve the server at the other end of ``sock``."""
        self._channel = Channel(sock, on_frames=self._on_frames, on_closed=self._on_server_gone)
        self._requests = Requests(self._send)
        self._frames: deque[Frame] = deque()
        """What has come and is not dealt with yet."""
        self._ended: list[str] = []
        self._send_ended_soon = Soon(self._send_ended)
        self._finished = asyncio.Event()
        self._server_pidfd: int | None = None

    async def run(self) -> None:
        """Serve until the server has closed the engine or is gone."""
        self._channel.attach(asyncio.get_running_loop())
        await self._finished.wait()
        if self._requests.is_open:
            # The server is gone: first what runs for nobody, then the store, which forgets nothing committed.
            orphans.kill_descendants_of_self()
            await self._requests.engine.abandon()
        self._channel.flush()

    def on_ended(self, job: Job) -> None:
        """Tell the server of a job's end, together with the others of this turn."""
        self._ended.append(job.job_id)
        self._send_ended_soon()

    def on_stop_adopted(self, job: Job) -> None:
        """Pass a stop on to the server."""
        self._send(Verb.STOP_ADOPTED, border.StopAdoptedNotice(job.job_id))

    def on_ready(self, ready: Ready) -> None:
        """Tell the server what its workers know."""
        self._send(Verb.READY, None, msgspec.json.encode(ready))

    def log(self, level: int, name: str, message: str) -> None:
        """Hand a log record to the server's log."""
        self._send(Verb.LOGGED, border.LoggedNotice(level, name), message.encode("utf-8", "replace"))

    def _on_frames(self, frames: list[Frame]) -> None:
        serves_already = bool(self._frames)
        self._frames += frames
        if not serves_already:
            self._serve()

    def _serve(self) -> None:
        """Deal with some of the frames; the others have the next turn, so that no worker waits for all of them."""
        waiting: list[tuple[Frame, Serving]] = []
        for _ in range(min(OPERATIONS_PER_TURN, len(self._frames))):
            frame = self._frames.popleft()
            own = _HANDLERS.get(frame.kind)
            try:
                serving = self._requests.handle(frame) if own is None else own(self, frame)
            except QueueError as error:
                self._requests.refuse(frame, error)
            else:
                if serving is not None:
                    waiting.append((frame, serving))
        if waiting:
            spawn(self._requests.serve_in_turn(waiting), name="requests")
        if self._frames:
            asyncio.get_running_loop().call_soon(self._serve)

    def _on_server_gone(self) -> None:
        self._finished.set()

    def _send(self, verb: Verb, header: object, payload: bytes = b"") -> None:
        self._channel.send(encode(verb, header, payload))

    def _send_ended(self) -> None:
        job_ids, self._ended = self._ended, []
        self._send(Verb.ENDED, None, msgspec.json.encode(job_ids))

    async def open(self, frame: Frame) -> None:
        """OPEN: build the engine; a failure is answered with its traceback."""
        request = decode(frame.header, border.OpenRequest)
        try:
            self._watch_server(request.server_pid)
            clock = system_clock()
            engine = Engine(_store_of(request, clock), request.options, self, clock)
            capabilities = await engine.open(request.in_process)
        except QueueError as error:
            self._requests.answer(request.number, error)
        except OSError as error:
            failure = EngineStartFailed(f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
            self._requests.answer(request.number, failure)
        else:
            self._requests.use(engine)
            self._send(Verb.OPENED, border.OpenedReply(number=request.number, capabilities=capabilities))

    def warm_up(self, frame: Frame) -> None:
        """WARM_UP."""
        request = decode(frame.header, border.WarmUpRequest)
        self._requests.engine.warm_up(request.setup)
        self._send(Verb.DONE, border.DoneReply(number=request.number))

    async def close(self, frame: Frame) -> None:
        """CLOSE."""
        request = decode(frame.header, border.CloseRequest)
        if self._requests.is_open:
            await self._requests.engine.close(request.timeout_seconds)
            self._requests.use(None)
        self._send(Verb.DONE, border.DoneReply(number=request.number))
        self._finished.set()

    def _watch_server(self, server_pid: int) -> None:
        self._server_pidfd = os.pidfd_open(server_pid)
        asyncio.get_running_loop().add_reader(self._server_pidfd, self._on_server_gone)


_HANDLERS: dict[int, Handler] = {
    Verb.OPEN: Service.open,
    Verb.WARM_UP: Service.warm_up,
    Verb.CLOSE: Service.close,
}
"""The frames that are the service's own; all others are requests to the engine."""


def _store_of(request: border.OpenRequest, clock: Clock) -> SqliteStore:
    options = request.options
    owner = Owner.of(request.server_pid)
    os.environ[orphans.MARK] = owner.mark
    return SqliteStore(
        Path(options.path),
        durability=options.durability,
        clock=clock,
        temporary=options.temporary,
        log_bytes=options.log_bytes,
        owner=owner,
        succession=Succession(takes_over=request.takes_over, on_abandoned=orphans.kill_marked),
    )
