"""Named points at which a process can be made to die, so that tests can show what holds when it does.

Only the environment arms one, and only for tests: ``MCP_QUEUE_CRASH_POINT=engine:claim-committed:3:/tmp/fuse`` kills
the engine with SIGKILL the third time that it reaches this point; or another process, whose id stands in the fuse. The
fuse is a file that goes just before: a process that starts without it is not armed, so that what comes back after the
crash lives on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

ARMED_BY = "MCP_QUEUE_CRASH_POINT"


class CrashPoint(StrEnum):
    """The points, each named after the process that reaches it.

    ``written`` is inside the transaction, before its commit; ``committed`` is after it, before anybody learns of it.
    """

    SUBMISSION_WRITTEN = "engine:submission-written"
    SUBMISSION_COMMITTED = "engine:submission-committed"
    ADOPTION_WRITTEN = "engine:adoption-written"
    ADOPTION_COMMITTED = "engine:adoption-committed"
    START_WRITTEN = "engine:start-written"
    START_COMMITTED = "engine:start-committed"
    CLAIM_WRITTEN = "engine:claim-written"
    CLAIM_COMMITTED = "engine:claim-committed"
    RESULT_WRITTEN = "engine:result-written"
    RESULT_COMMITTED = "engine:result-committed"
    QUESTION_WRITTEN = "engine:question-written"
    QUESTION_COMMITTED = "engine:question-committed"
    ANSWER_WRITTEN = "engine:answer-written"
    ANSWER_COMMITTED = "engine:answer-committed"
    """The answer to a question."""
    STOP_WRITTEN = "engine:stop-written"
    STOP_COMMITTED = "engine:stop-committed"
    DELETION_WRITTEN = "engine:deletion-written"
    DELETION_COMMITTED = "engine:deletion-committed"
    RETRY_WRITTEN = "engine:retry-written"
    RETRY_COMMITTED = "engine:retry-committed"
    DUE_WRITTEN = "engine:due-written"
    DUE_COMMITTED = "engine:due-committed"
    SWEEP_WRITTEN = "engine:sweep-written"
    SWEEP_COMMITTED = "engine:sweep-committed"
    RECOVERY_WRITTEN = "engine:recovery-written"
    RECOVERY_COMMITTED = "engine:recovery-committed"
    RUN_SENT = "engine:run-sent"
    """A worker has the job; its claim may not be committed yet."""
    JOB_RECEIVED = "worker:job-received"
    JOB_RETURNED = "worker:job-returned"
    RESULT_SENT = "worker:result-sent"
    ANSWER_ARRIVED = "server:answer-arrived"
    """The engine has answered with a record; the caller has not got it yet."""


class Fuse:
    """Kills when this process reaches one point for the ``count``-th time, unless the fuse has gone before."""

    def __init__(self, point: CrashPoint, count: int, path: Path) -> None:
        """Wait for ``point``; the file at ``path`` is the fuse."""
        self._point = point
        self._left = count
        self._path = path

    def reach(self, point: CrashPoint) -> None:
        """Count, and kill if it is time."""
        if point is not self._point:
            return
        self._left -= 1
        if self._left == 0:
            victim = _burn(self._path)
            if victim is not None:
                os.kill(victim, signal.SIGKILL)


def fuse_of(value: str | None) -> Fuse | None:
    """The fuse that a value of the environment variable describes; None for no value, or if it has gone already.

    Raises:
        ValueError: the value says something else.
    """
    if value is None:
        return None
    words = value.split(":", 3)
    if len(words) != 4 or not words[2].isdecimal() or int(words[2]) == 0 or not words[3]:
        raise ValueError(
            f"{ARMED_BY} must be PROCESS:POINT:COUNT:FUSE, such as engine:run-sent:1:/tmp/fuse, not {value!r}"
        )
    name = f"{words[0]}:{words[1]}"
    if name not in set(CrashPoint):
        raise ValueError(f"{ARMED_BY} names no crash point: {name!r}; there are: {', '.join(CrashPoint)}")
    path = Path(words[3])
    return Fuse(CrashPoint(name), int(words[2]), path) if path.exists() else None


_fuse = fuse_of(os.environ.get(ARMED_BY))


def reach(point: CrashPoint) -> None:
    """Die here, or kill another, if this is what the process is armed for."""
    if _fuse is not None:
        _fuse.reach(point)


def reach_each(points: Mapping[type[Any], CrashPoint], passing: Iterable[object]) -> None:
    """Reach the point of the type of each that is ``passing``; those of other types have none."""
    if _fuse is None:
        return
    for each in passing:
        point = points.get(type(each))
        if point is not None:
            _fuse.reach(point)


def _burn(fuse: Path) -> int | None:
    """Who is to die; None if another process that was armed by the same fuse has been faster."""
    try:
        victim = fuse.read_text()
        fuse.unlink()
    except FileNotFoundError:
        return None
    return int(victim) if victim else os.getpid()
