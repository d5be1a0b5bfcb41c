"""The crash points on both sides of a commit, for those operations whose commit is a transition or an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp_queue_plugin.crash_points import CrashPoint
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    AnswerQuestion,
    Applied,
    Ask,
    Claim,
    Delete,
    Due,
    Finish,
    Operation,
    Outcome,
    Refused,
    Retry,
    Start,
    Stop,
    Sweep,
)

WRITTEN: Mapping[type[Any], CrashPoint] = {
    Add: CrashPoint.SUBMISSION_WRITTEN,
    Adopt: CrashPoint.ADOPTION_WRITTEN,
    Start: CrashPoint.START_WRITTEN,
    Claim: CrashPoint.CLAIM_WRITTEN,
    Finish: CrashPoint.RESULT_WRITTEN,
    Ask: CrashPoint.QUESTION_WRITTEN,
    AnswerQuestion: CrashPoint.ANSWER_WRITTEN,
    Stop: CrashPoint.STOP_WRITTEN,
    Delete: CrashPoint.DELETION_WRITTEN,
    Retry: CrashPoint.RETRY_WRITTEN,
    Due: CrashPoint.DUE_WRITTEN,
    Sweep: CrashPoint.SWEEP_WRITTEN,
}

COMMITTED: Mapping[type[Any], CrashPoint] = {
    Add: CrashPoint.SUBMISSION_COMMITTED,
    Adopt: CrashPoint.ADOPTION_COMMITTED,
    Start: CrashPoint.START_COMMITTED,
    Claim: CrashPoint.CLAIM_COMMITTED,
    Finish: CrashPoint.RESULT_COMMITTED,
    Ask: CrashPoint.QUESTION_COMMITTED,
    AnswerQuestion: CrashPoint.ANSWER_COMMITTED,
    Stop: CrashPoint.STOP_COMMITTED,
    Delete: CrashPoint.DELETION_COMMITTED,
    Retry: CrashPoint.RETRY_COMMITTED,
    Due: CrashPoint.DUE_COMMITTED,
    Sweep: CrashPoint.SWEEP_COMMITTED,
}


def changing(operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> Iterator[Operation]:
    """The ``operations`` that have changed something; looked at only when somebody asks for them."""
    return (operation for operation, outcome in zip(operations, outcomes, strict=True) if _has_changed(outcome))


def _has_changed(outcome: Outcome) -> bool:
    match outcome:
        case Refused():
            return False
        case Applied():
            return outcome.changed
        case _:
            return bool(outcome.changed or outcome.removed)
