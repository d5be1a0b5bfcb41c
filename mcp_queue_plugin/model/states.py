"""The words for where a job stands: its status, and its state, which is the status in detail."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What a client sees first; the adapter's own six words."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    DELETED = "deleted"


class State(StrEnum):
    """A pending or running job's phase, or the status it ended with."""

    CREATED = "created"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    WORKING = "working"
    STOPPING = "stopping"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    DELETED = "deleted"

    @property
    def status(self) -> Status:
        """The status this state belongs to."""
        return _STATUS[self]

    @property
    def phase(self) -> str | None:
        """The public phase of a pending or running job; None for one that has ended."""
        return self.value if _STATUS[self] in (Status.PENDING, Status.RUNNING) else None


PENDING_STATES = frozenset({State.CREATED, State.SCHEDULED, State.QUEUED})
RUNNING_STATES = frozenset({State.WORKING, State.STOPPING, State.INPUT_REQUIRED})
FINISHED_STATES = frozenset({State.COMPLETED, State.FAILED, State.STOPPED})
ENDED_STATES = FINISHED_STATES | {State.DELETED}

_STATUS: dict[State, Status] = {
    **dict.fromkeys(PENDING_STATES, Status.PENDING),
    **dict.fromkeys(RUNNING_STATES, Status.RUNNING),
    **{state: Status(state.value) for state in ENDED_STATES},
}
