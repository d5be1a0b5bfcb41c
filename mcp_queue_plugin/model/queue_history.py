"""What the end of an attempt tells of its queue."""

from __future__ import annotations

import msgspec

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import State

AVERAGE_WEIGHT_OF_NEWEST = 0.2
"""The newest duration against the average so far."""

_TELL_NOTHING = frozenset({EndingKind.STOPPED, EndingKind.RELEASED})


def after_attempt(state: QueueState, before: Job, after: Job, ending: Ending, now: float) -> QueueState:
    """The state of its queue when an attempt of a job has ended.

    An attempt that never began leaves no trace. One that was asked to stop tells nothing of the queue's health; one
    that stopped itself, or that the server gave back, neither.
    """
    if ending.kind is EndingKind.RECALLED:
        return state
    ended = after_interruption(state, before, after, now)
    if before.state is State.STOPPING or ending.kind in _TELL_NOTHING or before.runs_in_server:
        return ended
    failed = ending.kind is not EndingKind.COMPLETED or ending.completed_with_error
    return msgspec.structs.replace(
        ended,
        consecutive_failures=state.consecutive_failures + 1 if failed else 0,
        average_seconds=_average(state, before, after, ending, now),
    )


def after_interruption(state: QueueState, before: Job, after: Job, now: float) -> QueueState:
    """The state of its queue when an attempt of a job has ended for reasons of its own or of the server.

    A job that ran in the server itself leaves no trace: it took no slot of the queue.
    """
    if before.runs_in_server:
        return state
    completed, with_error = after.state is State.COMPLETED, after.completed_with_error
    return msgspec.structs.replace(
        state,
        ended_at=now,
        processed_total=state.processed_total + (completed and not with_error),
        failed_total=state.failed_total + (after.state is State.FAILED or (completed and with_error)),
    )


def _average(state: QueueState, before: Job, after: Job, ending: Ending, now: float) -> float:
    # What it has waited for an answer is not known here: it would count as work.
    has_asked = bool(before.questions) or before.has_answers
    if ending.kind is EndingKind.CRASHED or after.started_at is None or has_asked:
        return state.average_seconds
    seconds = max(0.0, now - after.started_at)
    return (1 - AVERAGE_WEIGHT_OF_NEWEST) * state.average_seconds + AVERAGE_WEIGHT_OF_NEWEST * seconds
