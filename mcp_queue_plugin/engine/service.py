"""The engine's side of the border: one server's requests, handed to the engine and answered."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from mcp_queue_plugin.clock import Clock, system_clock
from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.engine.channel import Channel
from mcp_queue_plugin.engine.engine import Engine
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.values import Answer, EngineOptions
from mcp_queue_plugin.errors import (
    EngineNotRunning,
    EngineStartFailed,
    InvalidParameters,
    ProtocolViolation,
    QueueError,
)
from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.operations import Ending
from mcp_queue_plugin.store.sqlite import SqliteStore
from mcp_queue_plugin.workers import warden
from mcp_queue_plugin.workers.protocol import Frame, Ready, decode, encode

Handler = Callable[["Service", Frame], Coroutine[Any, Any, None] | None]

logger = logging.getLogger(__name__)


class Service:
    """Serves one server over one socket."""

    def __init__(self, sock: socket.socket) -> None:
        """Serve the server at the other end of ``sock``."""
        self._channel = Channel(sock, on_frames=self._on_frames, on_closed=self._on_server_gone)
        self._engine: Engine | None = None
        self._ended: list[str] = []
        self._finished = asyncio.Event()
        self._server_pidfd: int | None = None

    async def run(self) -> None:
        """Serve until the server has closed the engine or is gone."""
        self._channel.attach(asyncio.get_running_loop())
        await self._finished.wait()
        if self._engine is not None:
            # The server is gone: first what runs for nobody, then the store, which forgets nothing committed.
            warden.kill_descendants_of_self()
            await self._engine.abandon()
        self._channel.flush()

    def on_ended(self, job: Job) -> None:
        """Tell the server of a job's end, together with the others of this turn."""
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._send_ended)
        self._ended.append(job.job_id)

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
        waiting: list[tuple[Frame, Coroutine[Any, Any, None]]] = []
        for frame in frames:
            try:
                coroutine = _HANDLERS[Verb(frame.kind)](self, frame)
            except QueueError as error:
                self._refuse(frame, error)
            else:
                if coroutine is not None:
                    waiting.append((frame, coroutine))
        if waiting:
            spawn(self._serve_in_turn(waiting), name="requests")

    async def _serve_in_turn(self, requests: list[tuple[Frame, Coroutine[Any, Any, None]]]) -> None:
        for frame, coroutine in requests:
            try:
                await coroutine
            except QueueError as error:
                self._refuse(frame, error)

    def _refuse(self, frame: Frame, error: QueueError) -> None:
        """Answer a request that could not be served; one that has no number to answer under is logged."""
        try:
            number = decode(frame.header, border.PageReply).number
        except ProtocolViolation:
            logger.error("The server sent what cannot be served: %s", error)
            return
        if isinstance(error, ProtocolViolation):
            error = InvalidParameters(f"the request is not valid: {error.message}")
        self._reply(number, error)

    def _on_server_gone(self) -> None:
        self._finished.set()

    def _send(self, verb: Verb, header: object, payload: bytes = b"") -> None:
        self._channel.send(encode(verb, header, payload))

    def _send_ended(self) -> None:
        job_ids, self._ended = self._ended, []
        self._send(Verb.ENDED, None, msgspec.json.encode(job_ids))

    def _reply(self, number: int, answer: Answer | QueueError) -> None:
        if isinstance(answer, QueueError):
            self._send(Verb.ERROR, border.PageReply(number=number), msgspec.json.encode(border.report_of(answer)))
            return
        header = border.JobReply(
            number=number, job=answer.job, has_result=answer.result is not None, timed_out=answer.timed_out
        )
        self._send(Verb.JOB, header, answer.result or b"")

    def _running(self) -> Engine:
        if self._engine is None:
            raise EngineNotRunning
        return self._engine

    async def open(self, frame: Frame) -> None:
        """OPEN: build the engine; a failure is answered with its traceback."""
        request = decode(frame.header, border.OpenRequest)
        try:
            self._watch_server(request.server_pid)
            clock = system_clock()
            engine = Engine(_store_of(request.options, clock), request.options, self, clock)
            capabilities = await engine.open()
        except QueueError as error:
            self._reply(request.number, error)
        except OSError as error:
            failure = EngineStartFailed(f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
            self._reply(request.number, failure)
        else:
            self._engine = engine
            self._send(Verb.OPENED, border.OpenedReply(number=request.number, capabilities=capabilities))

    def warm_up(self, frame: Frame) -> None:
        """WARM_UP."""
        request = decode(frame.header, border.WarmUpRequest)
        self._running().warm_up(request.setup)
        self._send(Verb.DONE, border.DoneReply(number=request.number))

    async def close(self, frame: Frame) -> None:
        """CLOSE."""
        request = decode(frame.header, border.CloseRequest)
        if self._engine is not None:
            await self._engine.close(request.timeout_seconds)
            self._engine = None
        self._send(Verb.DONE, border.DoneReply(number=request.number))
        self._finished.set()

    def submit(self, frame: Frame) -> None:
        """SUBMIT."""
        request = decode(frame.header, border.SubmitRequest)
        self._running().submit(
            request.submission,
            frame.payload,
            start=request.start,
            reply=lambda answer: self._reply(request.number, answer),
        )

    def start(self, frame: Frame) -> None:
        """START."""
        request = decode(frame.header, border.JobRequest)
        self._running().start(request.job_id, reply=lambda answer: self._reply(request.number, answer))

    def stop(self, frame: Frame) -> None:
        """STOP."""
        self._let_go(self._running().stop, frame)

    def delete(self, frame: Frame) -> None:
        """DELETE."""
        self._let_go(self._running().delete, frame)

    def _let_go(self, verb: Callable[..., None], frame: Frame) -> None:
        request = decode(frame.header, border.JobRequest)
        verb(
            request.job_id,
            reason=request.reason,
            grace_seconds=request.grace_seconds,
            reply=lambda answer: self._reply(request.number, answer),
        )

    async def status(self, frame: Frame) -> None:
        """STATUS."""
        request = decode(frame.header, border.StatusRequest)
        await self._running().status(
            request.job_id,
            wait_seconds=request.wait_seconds,
            until=request.until,
            known_version=request.known_version,
            reply=lambda answer: self._reply(request.number, answer),
        )

    async def log_page(self, frame: Frame) -> None:
        """LOG. A page that is waited for holds up no other request."""
        request = decode(frame.header, border.LogRequest)
        page = self._reply_page(
            request.number, self._running().log(request.job_id, request.query, request.wait_seconds)
        )
        if request.wait_seconds is None:
            await page
        else:
            spawn(self._serve_in_turn([(frame, page)]), name="log")

    async def list_jobs(self, frame: Frame) -> None:
        """LIST."""
        request = decode(frame.header, border.ListRequest)
        await self._reply_page(request.number, self._running().list_jobs(request.query))

    async def health(self, frame: Frame) -> None:
        """HEALTH."""
        request = decode(frame.header, border.HealthRequest)
        await self._reply_page(request.number, self._running().health())

    async def _reply_page(self, number: int, page: Coroutine[Any, Any, object]) -> None:
        self._send(Verb.PAGE, border.PageReply(number=number), msgspec.json.encode(await page))

    def adopt(self, frame: Frame) -> None:
        """ADOPT."""
        notice = decode(frame.header, border.AdoptNotice)
        self._running().adopt(notice.submission, frame.payload, notice.description)

    def end_adopted(self, frame: Frame) -> None:
        """END_ADOPTED."""
        notice = decode(frame.header, border.EndAdoptedNotice)
        ending = Ending(
            kind=notice.kind,
            result=frame.payload if notice.has_result else None,
            error=None if notice.error is None else ErrorInfo(type="CommandFailed", message=notice.error),
        )
        self._running().end_adopted(notice.job_id, ending, notice.description)

    def _watch_server(self, server_pid: int) -> None:
        self._server_pidfd = os.pidfd_open(server_pid)
        asyncio.get_running_loop().add_reader(self._server_pidfd, self._on_server_gone)
        if os.getppid() != server_pid:
            self._on_server_gone()


_HANDLERS: dict[Verb, Handler] = {
    Verb.OPEN: Service.open,
    Verb.WARM_UP: Service.warm_up,
    Verb.CLOSE: Service.close,
    Verb.SUBMIT: Service.submit,
    Verb.START: Service.start,
    Verb.STOP: Service.stop,
    Verb.DELETE: Service.delete,
    Verb.STATUS: Service.status,
    Verb.LOG: Service.log_page,
    Verb.LIST: Service.list_jobs,
    Verb.HEALTH: Service.health,
    Verb.ADOPT: Service.adopt,
    Verb.END_ADOPTED: Service.end_adopted,
}


def _store_of(options: EngineOptions, clock: Clock) -> SqliteStore:
    return SqliteStore(
        Path(options.path),
        durability=options.durability,
        clock=clock,
        temporary=options.temporary,
        log_bytes=options.log_bytes,
    )
