"""The queue's JSON-RPC commands as this client needs them, over the standard library's HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar

import msgspec

HEALTH_TIMEOUT_SECONDS = 2.0
CALL_TIMEOUT_SECONDS = 30.0
LOG_PAGE_LINES = 1_000

ModelT = TypeVar("ModelT")


class ServerUnreachable(Exception):
    """The server did not answer, or not as a JSON-RPC server does."""


class ErrorObject(msgspec.Struct, frozen=True):
    """A JSON-RPC error."""

    message: str
    code: int = 0


class CallRefused(Exception):
    """The server answered with an error."""

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(f"{method} was refused: {error.message} (code {error.code})")


class Answer(msgspec.Struct, frozen=True):
    """A JSON-RPC answer; exactly one of the two is there."""

    result: msgspec.Raw = msgspec.Raw()
    error: ErrorObject | None = None


class CommandAnswer(msgspec.Struct, frozen=True):
    """What the adapter puts around a command's data."""

    success: bool = True
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorObject | None = None


class Submitted(msgspec.Struct, frozen=True):
    """The answer to a command that runs in the background."""

    job_id: str


class JobRecord(msgspec.Struct, frozen=True):
    """Where a job stands. ``progress`` is 0 to 100; ``version`` grows with every change."""

    job_id: str
    status: str
    version: int
    progress: int = 0
    description: str = ""
    result: Any = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status not in {"pending", "running"}


class LogEntry(msgspec.Struct, frozen=True):
    """One line of a job's log; ``stream`` is ``stdout`` or ``stderr``."""

    stream: str
    line: str


class LogPage(msgspec.Struct, frozen=True):
    """Lines of a job's log, and the cursor of the next page."""

    entries: Sequence[LogEntry]
    next_cursor: str


class QueueClient:
    """Talks to one server. Every command raises ``ServerUnreachable`` or ``CallRefused`` when it fails."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    def is_healthy(self) -> bool:
        """Whether the server answers ``/health``."""
        try:
            status, _ = self._exchange("GET", "/health", None, HEALTH_TIMEOUT_SECONDS)
        except ServerUnreachable:
            return False
        return status == HTTPStatus.OK

    def submit(self, command: str, params: dict[str, Any]) -> str:
        """Run ``command`` in the background and answer its job's id."""
        return _decode(self._call(command, params), Submitted).job_id

    def job(self, job_id: str, *, known_version: int | None = None, wait_seconds: int = 0) -> JobRecord:
        """The job's record; with ``known_version`` as soon as it is a newer one, or after ``wait_seconds``."""
        params: dict[str, Any] = {"job_id": job_id}
        if known_version is not None:
            params |= {"known_version": known_version, "wait_seconds": wait_seconds}
        return self._query("queue_get_job_status", params, JobRecord)

    def log_page(self, job_id: str, cursor: str | None) -> LogPage:
        """Up to ``LOG_PAGE_LINES`` lines of the job's log from ``cursor`` on, or from the first."""
        params: dict[str, Any] = {"job_id": job_id, "limit": LOG_PAGE_LINES}
        if cursor is not None:
            params["cursor"] = cursor
        return self._query("queue_get_job_logs", params, LogPage)

    def _query(self, method: str, params: dict[str, Any], model: type[ModelT]) -> ModelT:
        answer = _decode(self._call(method, params), CommandAnswer)
        if not answer.success:
            raise CallRefused(method, answer.error or ErrorObject("no reason given"))
        return _decode(answer.data, model)

    def _call(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        call = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        # JSON-RPC errors come under HTTP error statuses, too, so the status says nothing that the body does not.
        _, body = self._exchange("POST", "/api/jsonrpc", call, CALL_TIMEOUT_SECONDS)
        answer = _decode(body, Answer)
        if answer.error is not None:
            raise CallRefused(method, answer.error)
        if not bytes(answer.result):
            raise ServerUnreachable("the answer holds neither a result nor an error")
        return answer.result

    def _exchange(self, verb: str, path: str, body: bytes | None, timeout_seconds: float) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        with closing(HTTPConnection(self._host, self._port, timeout=timeout_seconds)) as connection:
            try:
                connection.request(verb, path, body, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, HTTPException) as error:
                raise ServerUnreachable(f"no answer from {self._host}:{self._port}: {error}") from error


def _decode(document: bytes | msgspec.Raw, model: type[ModelT]) -> ModelT:
    try:
        return msgspec.json.decode(document, type=model)
    except msgspec.MsgspecError as error:
        raise ServerUnreachable(f"the answer is not the expected {model.__name__}: {error}") from error
