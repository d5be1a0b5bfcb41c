"""What the server and the engine's process say to each other, as frames.

Every request carries a number of the server's choosing and is answered once under it; pages and reports travel as the
payload of their answer, parameters and results as payloads that nobody decodes on the way.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec

from mcp_queue_plugin import errors
from mcp_queue_plugin.engine.values import Answer, EngineOptions
from mcp_queue_plugin.engine.watch import Until
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import Job, Question, Submission
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.questions import AnswerAction
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.protocol import Frame, Setup, decode

SECONDS_MAX = 366 * 86400.0

Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
"""A time to wait; nobody waits longer than a year."""


class Verb(IntEnum):
    """The frames of the border: requests of the server, then what the engine says."""

    OPEN = 64
    WARM_UP = 65
    CLOSE = 66
    SUBMIT = 67
    START = 68
    STOP = 69
    DELETE = 70
    STATUS = 71
    LOG = 72
    LIST = 73
    HEALTH = 74
    ADOPT = 75
    END_ADOPTED = 76
    RETRY = 77
    SET_QUEUE = 78
    CALL_OFF = 79
    ANSWER = 80

    JOB = 96
    PAGE = 97
    DONE = 98
    ERROR = 99
    OPENED = 100

    ENDED = 112
    STOP_ADOPTED = 113
    READY = 114
    LOGGED = 115


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests have: the number their answer comes under."""

    number: int


class OpenRequest(Request, frozen=True, kw_only=True):
    """OPEN: build the engine and open its store.

    ``takes_over`` says that it takes the place of an engine that was lost. The jobs ``in_process`` run on in the server
    meanwhile.
    """

    options: EngineOptions
    server_pid: int
    takes_over: bool = False
    in_process: tuple[str, ...] = ()


class WarmUpRequest(Request, frozen=True, kw_only=True):
    """WARM_UP: start workers that are set up like this."""

    setup: Setup


class CloseRequest(Request, frozen=True, kw_only=True):
    """CLOSE: end orderly."""

    timeout_seconds: float


class PlacedRequest(Request, frozen=True, kw_only=True):
    """What is answered with a record; ``with_place`` also asks where a pending job stands."""

    with_place: bool = False


class SubmitRequest(PlacedRequest, frozen=True, kw_only=True):
    """SUBMIT: store a job; the payload is its parameters."""

    submission: Submission
    start: bool


class JobRequest(PlacedRequest, frozen=True, kw_only=True):
    """START, STOP, DELETE and RETRY.

    With ``owner``, here and below, only of a job that is theirs: to them no other exists.
    """

    job_id: str
    owner: str | None = None
    reason: str = ""
    grace_seconds: Seconds | None = None
    wait_seconds: Seconds | None = None


class AnswerRequest(PlacedRequest, frozen=True, kw_only=True):
    """ANSWER: answer a question of a job; the payload is the value, if it is accepted."""

    job_id: str
    key: str
    action: AnswerAction
    schema: str | None = None
    owner: str | None = None


class StatusRequest(PlacedRequest, frozen=True, kw_only=True):
    """STATUS: a record, now or after a wait."""

    job_id: str
    owner: str | None = None
    wait_seconds: Seconds | None = None
    until: Until = "change"
    known_version: int | None = None


class LogRequest(Request, frozen=True, kw_only=True):
    """LOG: a page of a job's log, now or when there is something in it."""

    job_id: str
    owner: str | None = None
    query: LogQuery
    wait_seconds: Seconds | None = None


class ListRequest(Request, frozen=True, kw_only=True):
    """LIST: a page of jobs."""

    query: JobQuery
    with_places: bool = False


class QueueRequest(Request, frozen=True, kw_only=True):
    """SET_QUEUE: pause or resume a queue."""

    name: str
    paused: bool


class HealthRequest(Request, frozen=True, kw_only=True):
    """HEALTH: how the queue is."""


class CallOffNotice(msgspec.Struct, frozen=True):
    """CALL_OFF: nobody waits for the answer to the request of this number any more. Not answered."""

    number: int


class AdoptNotice(msgspec.Struct, frozen=True, kw_only=True):
    """ADOPT: a job runs in the server's own process. Not answered."""

    submission: Submission
    description: str


class EndAdoptedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """END_ADOPTED: such a job has ended; the payload is its result, if ``has_result``. Not answered."""

    job_id: str
    kind: EndingKind
    description: str
    error: str | None = None
    has_result: bool = False


class JobReply(msgspec.Struct, frozen=True, kw_only=True):
    """JOB: a record; the payload is its result document, if ``has_result``.

    Its open questions may be larger than a header: they are the payload, if it ``has_questions``, of which a job that
    has a result has none.
    """

    number: int
    job: Job
    has_result: bool = False
    has_questions: bool = False
    timed_out: bool = False
    place: Place | None = None


class PageReply(msgspec.Struct, frozen=True, kw_only=True):
    """PAGE: the payload is the page as JSON. Of ERROR the payload is an ``ErrorReport``."""

    number: int


class DoneReply(msgspec.Struct, frozen=True, kw_only=True):
    """DONE: it is so."""

    number: int


class OpenedReply(msgspec.Struct, frozen=True, kw_only=True):
    """OPENED: the store is open, and this is what it can do."""

    number: int
    capabilities: Capabilities


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of ERROR: a refusal or a failure, by the name of its class in ``errors.py``."""

    name: str
    message: str
    data: dict[str, object]


class StopAdoptedNotice(msgspec.Struct, frozen=True):
    """STOP_ADOPTED: a job in the server's own process was asked to stop."""

    job_id: str


class LoggedNotice(msgspec.Struct, frozen=True):
    """LOGGED: a log record of the engine's process, for the server's log; the payload is its text."""

    level: int
    name: str


def job_frame(number: int, answer: Answer) -> tuple[JobReply, bytes]:
    """The header and the payload of JOB."""
    job, payload = answer.job, answer.result or b""
    if job.questions:
        job, payload = msgspec.structs.replace(job, questions=()), msgspec.json.encode(job.questions)
    header = JobReply(
        number=number,
        job=job,
        has_result=answer.result is not None,
        has_questions=bool(answer.job.questions),
        timed_out=answer.timed_out,
        place=answer.place,
    )
    return header, payload


def answer_in(frame: Frame) -> Answer:
    """The answer that ``job_frame`` made this of."""
    reply = decode(frame.header, JobReply)
    job = reply.job
    if reply.has_questions:
        questions = msgspec.json.decode(frame.payload, type=tuple[Question, ...])
        job = msgspec.structs.replace(job, questions=questions)
    return Answer(job, frame.payload if reply.has_result else None, reply.timed_out, reply.place)


def report_of(error: QueueError) -> ErrorReport:
    """``error`` as a value."""
    return ErrorReport(name=type(error).__name__, message=error.message, data=error.data)


def error_of(report: ErrorReport) -> QueueError:
    """The error that ``report_of`` made this of."""
    kind = getattr(errors, report.name, QueueError)
    error: QueueError = kind.__new__(kind)
    QueueError.__init__(error, report.message, **report.data)
    if isinstance(error, errors.JobError):
        error.job_id = str(report.data["value"])
    return error
