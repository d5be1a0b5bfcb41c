"""What a queue has promised: its answers, as the clients remember them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

Record = dict[str, Any]

ENDED = frozenset({"completed", "failed", "stopped", "deleted"})


class Wish(IntEnum):
    """Whether a stop or a deletion was asked for; one whose answer was lost may hold or not."""

    NONE = 0
    UNANSWERED = 1
    ACKNOWLEDGED = 2


class End(NamedTuple):
    """How a job was seen to have ended; ``run`` is the run whose result it shows."""

    status: str
    attempt: int
    run: str | None


@dataclass
class Promise:
    """One job, and what its client was told of it."""

    job_id: str
    outcomes: frozenset[str]
    """The states that it may have in the end, if nobody interferes."""
    params: Record = field(default_factory=dict)
    """What it was handed in with, so that this can be repeated."""
    acknowledged: bool = False
    runs_once: bool = False
    stop: Wish = Wish.NONE
    deletion: Wish = Wish.NONE
    let_go_at: float | None = None
    """When a client was told that the job is stopped or deleted, on the monotonic clock."""
    end: End | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has asked to stop or delete it."""
        return self.stop is Wish.NONE and self.deletion is Wish.NONE

    def allowed(self) -> frozenset[str]:
        """The states that the job may have in the end."""
        if self.deletion is Wish.ACKNOWLEDGED:
            return frozenset({"deleted"})
        deleted = {"deleted"} if self.deletion is Wish.UNANSWERED else set()
        if self.stop is Wish.ACKNOWLEDGED:
            return frozenset({"stopped", *deleted})
        stopped = {"stopped"} if self.stop is Wish.UNANSWERED else set()
        return self.outcomes | deleted | stopped


def end_of(record: Record) -> End | None:
    """The end that a record shows; None as long as there is none."""
    if record["status"] not in ENDED:
        return None
    result = record.get("result") or {}
    run = ((result.get("result") or {}).get("data") or {}).get("run")
    return End(record["status"], record["attempt"], run)
