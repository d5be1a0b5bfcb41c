"""The store's write operations and their outcomes, as values.

An operation is atomic, and a refusal is a value: in a group of operations that share one commit a refused one never
fails the others.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.admission import Full, Limit
from mcp_queue_plugin.model.job import ErrorInfo, Job, Question, Submission, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import State


class EndingKind(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    CRASHED = "crashed"
    """The worker died under it: it runs again unless it has crashed too often."""
    RELEASED = "released"
    """Given back by an orderly shutdown: it runs again, uncounted."""
    RECALLED = "recalled"
    """Claimed, but never begun: it is queued again, uncounted, whatever ``on_interrupt`` says."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an attempt. ``result`` is a JSON document in UTF-8, kept as it came.

    ``error_kinds`` are the names by which ``JobOptions.retry_on`` knows the error; they are not stored.
    """

    kind: EndingKind
    result: bytes | None = None
    error: ErrorInfo | None = None
    completed_with_error: bool = False
    error_kinds: tuple[str, ...] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a running attempt reports of itself; None leaves a field as it is."""

    progress: int | None = None
    description: str | None = None
    step: str | None = None


def merged(older: Changes, newer: Changes) -> Changes:
    """Both, the newer value of a field winning."""
    return Changes(
        progress=older.progress if newer.progress is None else newer.progress,
        description=older.description if newer.description is None else newer.description,
        step=older.step if newer.step is None else newer.step,
    )


class Add(msgspec.Struct, frozen=True, kw_only=True):
    """Store a new job and, with ``start``, put it into its queue in the same step. ``params`` is a JSON document.

    ``limits`` are those that hold for it; jobs that have to go for it are evicted in the same step. A submission whose
    idempotency key is known adds nothing: it is answered with the job that has it.
    """

    submission: Submission
    params: bytes
    start: bool
    limits: tuple[Limit, ...] = ()


class Adopt(msgspec.Struct, frozen=True, kw_only=True):
    """Store a job that already runs in the server's own process."""

    submission: Submission
    params: bytes
    description: str


class Start(msgspec.Struct, frozen=True):
    """Put an added job into its queue; starting a started job changes nothing.

    With ``owner``, here and below, only a job that is theirs: to them no other exists.
    """

    job_id: str
    owner: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """Begin the attempt ``token`` of a queued job; refused if the job is not queued, or its next attempt is another.

    ``begun_at`` is when it was given to a worker, if that was before this is stored.
    """

    token: Token
    begun_at: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Store the progress and the log of a running attempt."""

    token: Token
    changes: Changes
    log: tuple[LogPiece, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a question for a running attempt, with its last progress.

    One that was answered before, by whatever attempt it was asked, is not asked again: the outcome has the answer.
    """

    token: Token
    question: Question
    changes: Changes = Changes()


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """End an attempt, with its last progress and log.

    With ``begun_at`` it stands for the attempt's ``Claim`` as well, which it is refused like. ``ended_at`` is when the
    attempt ended, if that was before this is stored. ``jitter``, from 0 to 1, is what chance says about the wait before
    a retry.
    """

    token: Token
    ending: Ending
    begun_at: float | None = None
    ended_at: float | None = None
    jitter: float = 1.0
    changes: Changes = Changes()
    log: tuple[LogPiece, ...] = ()


class Stop(msgspec.Struct, frozen=True):
    """Stop a pending job, or ask a running one to stop: from then on only ``stopped`` can follow."""

    job_id: str
    reason: str = "stopped by request"
    owner: str | None = None


class Delete(msgspec.Struct, frozen=True):
    """Empty a job to a tombstone; a running one is stopped first and deleted once it has let go.

    With ``uid`` only if the public id still is that job's: it is free for another as soon as its job is deleted.
    """

    job_id: str
    reason: str = "deleted by request"
    uid: int | None = None
    owner: str | None = None


class AnswerQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an open question of a job; the first answer stands, and a later one changes nothing.

    ``schema`` is the one that an accepted value was checked against; a question that has another one, because it was
    asked again meanwhile, is not answered by it.
    """

    job_id: str
    key: str
    answer: GivenAnswer
    schema: str | None = None
    owner: str | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Queue a job again that has failed or was stopped, as if it were new; ``limits`` hold for it as for ``Add``."""

    job_id: str
    limits: tuple[Limit, ...] = ()
    owner: str | None = None


class Due(msgspec.Struct, frozen=True):
    """Queue the scheduled jobs whose time has come, ``limit`` at most, in the order of their times.

    ``clock_was_set_back`` lets delays begin again that began in what is now the future.
    """

    limit: int
    clock_was_set_back: bool = False


class SetQueue(msgspec.Struct, frozen=True):
    """Pause or resume a queue; what runs of it runs on."""

    name: str
    paused: bool


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Remove up to ``limit`` jobs that are over for ``age_seconds``: finished ones, or tombstones."""

    tombstones: bool
    age_seconds: float
    limit: int


ByToken = Claim | Report | Finish
ById = Start | Stop | Delete
OnMany = Due | SetQueue | Sweep
Operation = Add | Adopt | ByToken | ById | Retry | Ask | AnswerQuestion | OnMany


class Refusal(StrEnum):
    """Why an operation changed nothing."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    STATE_INVALID = "state_invalid"
    STALE_TOKEN = "stale_token"
    QUEUE_FULL = "queue_full"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    QUESTION_NOT_FOUND = "question_not_found"
    TOO_MANY_QUESTIONS = "too_many_questions"


class Refused(msgspec.Struct, frozen=True):
    """The operation was not allowed. ``job`` or the limit that is ``full`` is what stood in the way."""

    refusal: Refusal
    job: Job | None = None
    full: Full | None = None


class Applied(msgspec.Struct, frozen=True):
    """The operation holds. ``job`` is the record after it; ``changed`` is False when it already was so.

    ``before`` is the state it was in; None for a new job. ``evicted`` are those who had to go for it, ``queue`` is the
    state of its queue if this changed it, ``answer`` what was answered to the question that was asked or answered.
    """

    job: Job
    changed: bool = True
    before: State | None = None
    evicted: tuple[Applied, ...] = ()
    queue: QueueState | None = None
    answer: GivenAnswer | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An operation on no single job holds: what it ``changed``, how many it ``removed``, the queue as it is now.

    ``more`` says that the operation's limit left some over.
    """

    changed: tuple[Applied, ...] = ()
    removed: int = 0
    queue: QueueState | None = None
    more: bool = False


Outcome = Applied | Refused | Done
OutcomeCallback = Callable[[Outcome | QueueError], None]
