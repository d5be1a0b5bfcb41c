"""The store's write operations and their outcomes, as values.

An operation is atomic, and a refusal is a value: in a group of operations that share one commit a refused one never
fails the others.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import ErrorInfo, Job, Submission, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
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
    """The end of an attempt. ``result`` is a JSON document in UTF-8, kept as it came."""

    kind: EndingKind
    result: bytes | None = None
    error: ErrorInfo | None = None
    completed_with_error: bool = False


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
    """Store a new job and, with ``start``, put it into its queue in the same step. ``params`` is a JSON document."""

    submission: Submission
    params: bytes
    start: bool


class Adopt(msgspec.Struct, frozen=True, kw_only=True):
    """Store a job that already runs in the server's own process."""

    submission: Submission
    params: bytes
    description: str


class Start(msgspec.Struct, frozen=True):
    """Put an added job into its queue; starting a started job changes nothing."""

    job_id: str


class Claim(msgspec.Struct, frozen=True):
    """Begin the attempt ``token`` of a queued job; refused if the job is not queued, or its next attempt is another."""

    token: Token


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Store the progress and the log of a running attempt."""

    token: Token
    changes: Changes
    log: tuple[LogPiece, ...] = ()


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """End an attempt, with its last progress and log."""

    token: Token
    ending: Ending
    changes: Changes = Changes()
    log: tuple[LogPiece, ...] = ()


class Stop(msgspec.Struct, frozen=True):
    """Stop a pending job, or ask a running one to stop: from then on only ``stopped`` can follow."""

    job_id: str
    reason: str = "stopped by request"


class Delete(msgspec.Struct, frozen=True):
    """Empty a job to a tombstone; a running one is stopped first and deleted once it has let go."""

    job_id: str
    reason: str = "deleted by request"


Operation = Add | Adopt | Start | Claim | Report | Finish | Stop | Delete
ByToken = Claim | Report | Finish
ById = Start | Stop | Delete


class Refusal(StrEnum):
    """Why an operation changed nothing."""

    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    STATE_INVALID = "state_invalid"
    STALE_TOKEN = "stale_token"


class Refused(msgspec.Struct, frozen=True):
    """The operation was not allowed. ``job`` is what stood in the way, where there is one."""

    refusal: Refusal
    job: Job | None = None


class Applied(msgspec.Struct, frozen=True):
    """The operation holds. ``job`` is the record after it; ``changed`` is False when it already was so.

    ``before`` is the state it was in; None for a new job.
    """

    job: Job
    changed: bool = True
    before: State | None = None


Outcome = Applied | Refused
OutcomeCallback = Callable[[Outcome | QueueError], None]
