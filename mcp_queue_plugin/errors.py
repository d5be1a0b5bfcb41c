"""Every error this project raises.

    QueueError
    ├── ConfigurationError
    ├── InvalidParameters
    │   └── NotJson
    ├── InvalidRequest
    │   ├── NotStrictJson
    │   └── RequestTooLarge
    ├── QueueDisabled
    ├── NotInJob
    ├── AskBlocksLoop
    ├── QuestionDeclined
    ├── JobTimeout
    ├── QueueFull
    ├── TooManyWaits
    ├── IdempotencyConflict
    ├── AccessDenied
    │   ├── CommandForbidden
    │   └── AdminsOnly
    ├── JobError
    │   ├── JobNotFound
    │   ├── JobAlreadyExists
    │   ├── JobStateInvalid
    │   └── QuestionNotFound
    ├── StoreError
    │   ├── StoreRefused
    │   ├── StoreInUse
    │   └── StoreUnavailable
    │       └── StoreDamaged
    ├── EngineError
    │   ├── EngineNotRunning
    │   ├── EngineStartFailed
    │   └── EngineLost
    └── WorkerError
        ├── WorkerStartFailed
        ├── ProtocolViolation
        ├── CommandUnknown
        └── TargetNotFound

Each class knows the JSON-RPC code, the domain code and the HTTP status a client sees; ``commands/base.py``,
``adapter/bridge`` and ``adapter/http_errors.py`` do nothing but read them. A message defaults to the first line of the
docstring.
"""

from __future__ import annotations

from typing import Any, ClassVar

JSONRPC_PARSE_ERROR = -32700
JSONRPC_INVALID_REQUEST = -32600
JSONRPC_INVALID_PARAMS = -32602
JSONRPC_SERVER_ERROR = -32000
JSONRPC_INTERNAL_ERROR = -32603


class QueueError(Exception):
    """The queue could not do what was asked."""

    code: ClassVar[int] = JSONRPC_SERVER_ERROR
    domain_code: ClassVar[str | None] = None
    http_status: ClassVar[int] = 500

    def __init__(self, message: str | None = None, **data: Any) -> None:
        """Keep ``message`` for people and ``data`` (JSON values) for programs."""
        default = (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        self.message = message or default
        self.data: dict[str, Any] = data
        super().__init__(self.message)

    def details(self) -> dict[str, Any]:
        """The fields of a JSON-RPC error's ``data``: the domain code and the facts."""
        domain = {"domain_code": self.domain_code} if self.domain_code else {}
        return {**domain, **self.data}


class ConfigurationError(QueueError):
    """The configuration is not valid."""

    domain_code = "CONFIGURATION_INVALID"


class InvalidParameters(QueueError):
    """A parameter is not valid."""

    code = JSONRPC_INVALID_PARAMS
    http_status = 422


class NotJson(InvalidParameters):
    """The value cannot be written as JSON."""


class InvalidRequest(QueueError):
    """The request is not one of JSON-RPC."""

    code = JSONRPC_INVALID_REQUEST
    http_status = 400


class NotStrictJson(InvalidRequest):
    """The request is not JSON that has one meaning alone."""

    code = JSONRPC_PARSE_ERROR


class RequestTooLarge(InvalidRequest):
    """The request is larger than security.max_body_bytes."""

    http_status = 413


class QueueDisabled(QueueError):
    """The queue is disabled: set queue_manager.enabled to true to run commands in the background."""

    domain_code = "QUEUE_DISABLED"
    http_status = 503


class NotInJob(QueueError):
    """There is no current job: current_job() works in the code of a running job only."""


class AskBlocksLoop(QueueError):
    """ask() would stop the event loop that runs in this thread: use `await current_job().ask_async(...)` instead."""


class QuestionDeclined(QueueError):
    """The question was declined: it has no answer."""

    domain_code = "QUESTION_DECLINED"

    @property
    def key(self) -> str:
        """The question's key."""
        return str(self.data.get("key", ""))

    @property
    def action(self) -> str:
        """What was done instead of answering it: ``decline`` or ``cancel``."""
        return str(self.data.get("action", ""))


class JobTimeout(QueueError):
    """The attempt ran longer than its timeout_seconds."""

    domain_code = "JOB_TIMEOUT"


class QueueFull(QueueError):
    """The queue holds as many jobs as it may; nothing was stored."""

    domain_code = "QUEUE_FULL"
    http_status = 429


class TooManyWaits(QueueError):
    """The caller has as many calls waiting as it may."""

    domain_code = "TOO_MANY_WAITS"
    http_status = 429


class IdempotencyConflict(QueueError):
    """The idempotency key was used with other parameters; nothing was stored."""

    domain_code = "IDEMPOTENCY_CONFLICT"
    http_status = 409


class AccessDenied(QueueError):
    """The caller may not do this."""

    http_status = 403


class CommandForbidden(AccessDenied):
    """The caller may not run this command."""

    domain_code = "COMMAND_FORBIDDEN"


class AdminsOnly(AccessDenied):
    """Only an administrator may do this."""

    domain_code = "ADMINS_ONLY"


class JobError(QueueError):
    """The job does not allow what was asked."""

    http_status = 409

    def __init__(self, job_id: str, message: str | None = None, **data: Any) -> None:
        """Name the job; the adapter's clients read ``field``, ``value`` and ``store``."""
        self.job_id = job_id
        super().__init__(message, field="job_id", value=job_id, store="queuemgr", **data)


class JobNotFound(JobError):
    """Job not found"""

    domain_code = "JOB_NOT_FOUND"
    http_status = 404


class JobAlreadyExists(JobError):
    """Job already exists"""

    domain_code = "JOB_ALREADY_EXISTS"


class JobStateInvalid(JobError):
    """Job state invalid"""

    domain_code = "JOB_STATE_INVALID"


class QuestionNotFound(JobError):
    """The job has no open question of this key"""

    domain_code = "QUESTION_NOT_FOUND"
    http_status = 404


class StoreError(QueueError):
    """The store of the jobs cannot be used."""

    domain_code = "STORE_UNAVAILABLE"
    http_status = 503


class StoreRefused(StoreError):
    """The file is not a store of this version; it was left untouched."""


class StoreInUse(StoreError):
    """Another server owns the store."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written now; nothing was acknowledged."""


class StoreDamaged(StoreUnavailable):
    """What is in the store's file makes no sense; it was left as it is."""


class EngineError(QueueError):
    """The queue's engine cannot be used."""

    domain_code = "ENGINE_UNAVAILABLE"
    http_status = 503


class EngineNotRunning(EngineError):
    """The queue is not running: start the manager first."""


class EngineStartFailed(EngineError):
    """The queue's engine did not start."""


class EngineLost(EngineError):
    """The queue's engine ended while the request was under way; it is unknown whether it took effect."""


class WorkerError(QueueError):
    """A worker process cannot be used."""

    domain_code = "WORKER_UNAVAILABLE"


class WorkerStartFailed(WorkerError):
    """A worker process did not become ready."""


class ProtocolViolation(WorkerError):
    """A frame was malformed or too large; its sender is not trusted any more."""


class CommandUnknown(WorkerError):
    """The command is not registered in the worker."""

    domain_code = "COMMAND_UNKNOWN"


class TargetNotFound(WorkerError):
    """The class of the job cannot be found in a worker."""

    domain_code = "TARGET_NOT_FOUND"
