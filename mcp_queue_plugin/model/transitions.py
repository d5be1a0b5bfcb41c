"""The one table of a job's life: which event may lead from which state to which.

The diagram in docs/reference/job-lifecycle.md and the statuses in the SQLite schema say the same; one test ties
the three.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from mcp_queue_plugin.model.states import FINISHED_STATES, PENDING_STATES, State


class Event(StrEnum):
    """What can happen to a job."""

    START = "start"
    DUE = "due"
    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    END_STOPPED = "end stopped"
    REQUEUE = "requeue"
    ASK = "ask"
    ANSWER = "answer"
    RETRY = "retry"
    STOP = "stop"
    DELETE = "delete"


def _table() -> dict[tuple[State, Event], frozenset[State]]:
    table: dict[tuple[State, Event], frozenset[State]] = {
        (State.CREATED, Event.START): frozenset({State.QUEUED, State.SCHEDULED}),
        (State.SCHEDULED, Event.DUE): frozenset({State.QUEUED}),
        (State.QUEUED, Event.CLAIM): frozenset({State.WORKING}),
        (State.WORKING, Event.ASK): frozenset({State.INPUT_REQUIRED}),
        (State.INPUT_REQUIRED, Event.ASK): frozenset({State.INPUT_REQUIRED}),
        (State.STOPPING, Event.ASK): frozenset({State.STOPPING}),
        (State.INPUT_REQUIRED, Event.ANSWER): frozenset({State.WORKING, State.INPUT_REQUIRED}),
        # Questions that an earlier attempt has left open.
        (State.SCHEDULED, Event.ANSWER): frozenset({State.SCHEDULED}),
        (State.QUEUED, Event.ANSWER): frozenset({State.QUEUED}),
        (State.WORKING, Event.ANSWER): frozenset({State.WORKING}),
        (State.FAILED, Event.RETRY): frozenset({State.QUEUED}),
        (State.STOPPED, Event.RETRY): frozenset({State.QUEUED}),
        (State.STOPPING, Event.END_STOPPED): frozenset({State.STOPPED}),
        (State.STOPPING, Event.DELETE): frozenset({State.STOPPING}),
        (State.STOPPING, Event.STOP): frozenset({State.STOPPING}),
    }
    for state in (State.WORKING, State.INPUT_REQUIRED):
        table[state, Event.COMPLETE] = frozenset({State.COMPLETED})
        table[state, Event.FAIL] = frozenset({State.FAILED, State.SCHEDULED})
        table[state, Event.END_STOPPED] = frozenset({State.STOPPED})
        table[state, Event.REQUEUE] = frozenset({State.QUEUED, State.FAILED})
        table[state, Event.STOP] = frozenset({State.STOPPING})
        table[state, Event.DELETE] = frozenset({State.STOPPING})
    for state in PENDING_STATES:
        table[state, Event.STOP] = frozenset({State.STOPPED})
        table[state, Event.DELETE] = frozenset({State.DELETED})
    for state in FINISHED_STATES:
        table[state, Event.DELETE] = frozenset({State.DELETED})
    return table


TRANSITIONS: Mapping[tuple[State, Event], frozenset[State]] = _table()


def allowed_from(event: Event) -> frozenset[State]:
    """The states in which ``event`` may happen."""
    return frozenset(state for state, name in TRANSITIONS if name is event)
