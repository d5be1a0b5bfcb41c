"""What a job is: immutable values shared by the store, the engine and the border to the server."""

from __future__ import annotations

import msgspec

from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State, Status
from mcp_queue_plugin.model.text import storable

DESCRIPTION_MAX_LENGTH = 1024
JOB_ID_MAX_LENGTH = 200
RESULT_TOO_LARGE = "the result is too large: {size} bytes; limits.result_bytes allows {most}"


def is_job_id(value: object) -> bool:
    """Whether ``value`` can be a public id: a Unicode text of 1 to 200 characters, not blank, without NUL."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= JOB_ID_MAX_LENGTH
        and not value.isspace()
        and "\0" not in value
        and storable(value, JOB_ID_MAX_LENGTH) == value
    )


class Token(msgspec.Struct, frozen=True, order=True):
    """The right to write for one attempt of one job; a write under any other token is refused."""

    uid: int
    attempt: int


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt failed."""

    type: str
    message: str
    code: int | None = None
    traceback_tail: str | None = None


IN_PROCESS_COMMAND = "in_process_command"
"""The job type of a command that runs in the server itself: recorded like a job, run by no worker."""


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two submissions the same: the caller's key, and a digest of what is to be done."""

    key: str
    fingerprint: str


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it is handed in: not yet known to any store.

    ``target`` names the class to run as ``module:qualname``; ``command`` is set for command jobs only.
    """

    job_id: str
    job_type: str
    target: str
    command: str | None = None
    owner: str | None = None
    options: JobOptions = JobOptions()
    idempotency: Idempotency | None = None

    @property
    def subject(self) -> str:
        """What an idempotency key is bound to, beside the owner: the command, or else the job type."""
        return self.command or self.job_type


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question of a job that nobody has answered yet, asked by its attempt ``attempt``.

    ``key`` names it within the job; ``schema`` is the JSON Schema of the answer, as a JSON text.
    """

    key: str
    prompt: str
    schema: str | None = None
    attempt: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job's record, without its parameters, result and log, which are kept apart.

    ``uid`` is the store's own key and never used again; ``version`` comes from a counter of the whole store and grows
    with every change of any job. ``queued_at`` is when the job began to wait, for a slot or for ``not_before``;
    ``rank`` and then ``order`` are its place in the queue, smaller first. ``questions`` are the open ones; with
    ``has_answers`` some were answered. ``changed_at`` is when this version was made. Times are seconds since the epoch.
    """

    uid: int
    job_id: str
    job_type: str
    target: str
    command: str | None
    owner: str | None
    options: JobOptions
    state: State
    version: int
    order: int
    rank: float = 0.0
    attempt: int = 0
    crashes: int = 0
    retries: int = 0
    progress: int = 0
    description: str = ""
    step: str = ""
    created_at: float
    queued_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    deleted_at: float | None = None
    not_before: float | None = None
    reason: str | None = None
    delete_requested: bool = False
    error: ErrorInfo | None = None
    completed_with_error: bool = False
    has_result: bool = False
    questions: tuple[Question, ...] = ()
    has_answers: bool = False
    changed_at: float = 0.0

    @property
    def status(self) -> Status:
        """The public status."""
        return self.state.status

    @property
    def runs_in_server(self) -> bool:
        """Whether it runs in the server itself and not in a worker."""
        return self.job_type == IN_PROCESS_COMMAND

    @property
    def place(self) -> tuple[float, int]:
        """What sorts the jobs of a queue: the smaller goes first."""
        return self.rank, self.order

    @property
    def token(self) -> Token:
        """The token of the current attempt."""
        return Token(self.uid, self.attempt)

    def is_visible_to(self, owner: str | None) -> bool:
        """Whether it exists for ``owner``; None stands for who may see all."""
        return owner is None or owner == self.owner
