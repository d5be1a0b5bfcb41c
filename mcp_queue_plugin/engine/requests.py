"""The requests of the border that concern jobs and queues, handed to the engine and answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.engine.engine import Engine
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.engine.values import Answer, Reply
from mcp_queue_plugin.errors import EngineNotRunning, InvalidParameters, ProtocolViolation, QueueError
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import AnswerQuestion, Ending
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.workers.protocol import Frame, decode

Serving = Coroutine[Any, Any, None]
Handler = Callable[["Requests", Frame], Serving | None]

logger = logging.getLogger(__name__)


class Send(Protocol):
    """How answers leave."""

    def __call__(self, verb: Verb, header: object, payload: bytes = b"") -> None:
        """Send one frame."""
        ...


class Wait(Protocol):
    """What a request waits with, until it can be answered."""

    def cancel(self) -> object:
        """End the wait without an answer."""
        ...


class Requests:
    """Decodes requests, asks the engine, and answers each under its number."""

    def __init__(self, send: Send) -> None:
        """Answer through ``send``."""
        self._send = send
        self._engine: Engine | None = None
        self._waits: dict[int, Wait] = {}
        """The waits under way, by the number of their request."""

    @property
    def engine(self) -> Engine:
        """The engine that is open.

        Raises:
            EngineNotRunning: none is.
        """
        if self._engine is None:
            raise EngineNotRunning
        return self._engine

    @property
    def is_open(self) -> bool:
        """Whether there is an engine to ask."""
        return self._engine is not None

    def use(self, engine: Engine | None) -> None:
        """Ask ``engine`` from now on; None when it has closed."""
        self._engine = engine

    def handle(self, frame: Frame) -> Serving | None:
        """Serve a request at once, or answer what is left to do.

        Raises:
            QueueError: it cannot be served.
        """
        return _HANDLERS[Verb(frame.kind)](self, frame)

    async def serve_in_turn(self, requests: list[tuple[Frame, Serving]]) -> None:
        """Do what is left of requests, one after the other."""
        for frame, serving in requests:
            try:
                await serving
            except QueueError as error:
                self.refuse(frame, error)

    def refuse(self, frame: Frame, error: QueueError) -> None:
        """Answer a request that could not be served; one that has no number to answer under is logged."""
        try:
            number = decode(frame.header, border.PageReply).number
        except ProtocolViolation:
            logger.error("The server sent what cannot be served: %s", error)
            return
        if isinstance(error, ProtocolViolation):
            error = InvalidParameters(f"the request is not valid: {error.message}")
        self.answer(number, error)

    def answer(self, number: int, answer: Answer | QueueError) -> None:
        """Answer the request of this number with a record, or with an error."""
        self._waits.pop(number, None)
        if isinstance(answer, QueueError):
            self._send(Verb.ERROR, border.PageReply(number=number), msgspec.json.encode(border.report_of(answer)))
            return
        try:
            self._send(Verb.JOB, *border.job_frame(number, answer))
        except ProtocolViolation as violation:
            logger.error("The record of job %s cannot be told: %s", answer.job.job_id, violation)
            self.answer(number, InvalidParameters(f"the record is too large to be told: {violation.message}"))

    def submit(self, frame: Frame) -> None:
        """SUBMIT."""
        request = decode(frame.header, border.SubmitRequest)
        self.engine.submit(request.submission, frame.payload, start=request.start, reply=self._reply_to(request))

    def start(self, frame: Frame) -> None:
        """START."""
        request = decode(frame.header, border.JobRequest)
        self.engine.start(request.job_id, owner=request.owner, reply=self._reply_to(request))

    async def retry(self, frame: Frame) -> None:
        """RETRY."""
        request = decode(frame.header, border.JobRequest)
        await self.engine.retry(request.job_id, owner=request.owner, reply=self._reply_to(request))

    def answer_question(self, frame: Frame) -> None:
        """ANSWER."""
        request = decode(frame.header, border.AnswerRequest)
        operation = AnswerQuestion(
            job_id=request.job_id,
            key=request.key,
            answer=GivenAnswer(request.action, frame.payload),
            schema=request.schema,
            owner=request.owner,
        )
        self.engine.answer(operation, reply=self._reply_to(request))

    def stop(self, frame: Frame) -> None:
        """STOP."""
        self._let_go(self.engine.stop, frame)

    def delete(self, frame: Frame) -> None:
        """DELETE."""
        self._let_go(self.engine.delete, frame)

    def set_queue(self, frame: Frame) -> None:
        """SET_QUEUE. Its commit holds up no other request."""
        request = decode(frame.header, border.QueueRequest)
        report = self._answer_page(request.number, self.engine.set_queue(request.name, paused=request.paused))
        spawn(self.serve_in_turn([(frame, report)]), name="set queue")

    async def status(self, frame: Frame) -> None:
        """STATUS."""
        request = decode(frame.header, border.StatusRequest)
        watch = await self.engine.reading.status(
            request.job_id,
            owner=request.owner,
            wait_seconds=request.wait_seconds,
            until=request.until,
            known_version=request.known_version,
            reply=self._reply_to(request),
        )
        if watch is not None:
            self._waits[request.number] = watch

    async def call_off(self, frame: Frame) -> None:
        """CALL_OFF. In turn like what it calls off, which it must not overtake."""
        wait = self._waits.pop(decode(frame.header, border.CallOffNotice).number, None)
        if wait is not None:
            wait.cancel()

    async def log_page(self, frame: Frame) -> None:
        """LOG. A page that is waited for holds up no other request."""
        request = decode(frame.header, border.LogRequest)
        if request.wait_seconds is None:
            await self._answer_log(request)
            return
        wait = spawn(self._await_log(frame, request), name="log")
        self._waits[request.number] = wait
        wait.add_done_callback(lambda _: self._waits.pop(request.number, None))

    async def list_jobs(self, frame: Frame) -> None:
        """LIST."""
        request = decode(frame.header, border.ListRequest)
        listing = self.engine.reading.list_jobs(request.query, with_places=request.with_places)
        await self._answer_page(request.number, listing)

    async def health(self, frame: Frame) -> None:
        """HEALTH."""
        request = decode(frame.header, border.HealthRequest)
        await self._answer_page(request.number, self.engine.health())

    def adopt(self, frame: Frame) -> None:
        """ADOPT."""
        notice = decode(frame.header, border.AdoptNotice)
        self.engine.adopt(notice.submission, frame.payload, notice.description)

    def end_adopted(self, frame: Frame) -> None:
        """END_ADOPTED."""
        notice = decode(frame.header, border.EndAdoptedNotice)
        ending = Ending(
            kind=notice.kind,
            result=frame.payload if notice.has_result else None,
            error=None if notice.error is None else ErrorInfo(type="CommandFailed", message=notice.error),
        )
        self.engine.end_adopted(notice.job_id, ending, notice.description)

    def _let_go(self, verb: Callable[..., None], frame: Frame) -> None:
        request = decode(frame.header, border.JobRequest)
        verb(
            request.job_id,
            reason=request.reason,
            grace_seconds=request.grace_seconds,
            wait_seconds=request.wait_seconds,
            owner=request.owner,
            reply=self._reply_to(request),
        )

    def _reply_to(self, request: border.PlacedRequest) -> Reply:
        def reply(answer: Answer | QueueError) -> None:
            self.answer(request.number, answer)

        return self.engine.reading.placed(reply) if request.with_place else reply

    async def _await_log(self, frame: Frame, request: border.LogRequest) -> None:
        await self.serve_in_turn([(frame, self._answer_log(request))])

    async def _answer_log(self, request: border.LogRequest) -> None:
        page = self.engine.reading.log(request.job_id, request.query, request.wait_seconds, owner=request.owner)
        await self._answer_page(request.number, page)

    async def _answer_page(self, number: int, page: Coroutine[Any, Any, object]) -> None:
        self._send(Verb.PAGE, border.PageReply(number=number), msgspec.json.encode(await page))


_HANDLERS: dict[Verb, Handler] = {
    Verb.SUBMIT: Requests.submit,
    Verb.START: Requests.start,
    Verb.STOP: Requests.stop,
    Verb.DELETE: Requests.delete,
    Verb.RETRY: Requests.retry,
    Verb.ANSWER: Requests.answer_question,
    Verb.SET_QUEUE: Requests.set_queue,
    Verb.STATUS: Requests.status,
    Verb.LOG: Requests.log_page,
    Verb.LIST: Requests.list_jobs,
    Verb.HEALTH: Requests.health,
    Verb.CALL_OFF: Requests.call_off,
    Verb.ADOPT: Requests.adopt,
    Verb.END_ADOPTED: Requests.end_adopted,
}
