"""What a worker's process may use of the machine: a job that lowers it for itself lowers it for nobody else."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

_NAMES = {
    resource.RLIMIT_AS: "RLIMIT_AS",
    resource.RLIMIT_CPU: "RLIMIT_CPU",
    resource.RLIMIT_DATA: "RLIMIT_DATA",
    resource.RLIMIT_FSIZE: "RLIMIT_FSIZE",
    resource.RLIMIT_NOFILE: "RLIMIT_NOFILE",
    resource.RLIMIT_NPROC: "RLIMIT_NPROC",
    resource.RLIMIT_STACK: "RLIMIT_STACK",
}
"""Those that can make another job fail: looking at all of them after every job would take twice as long."""

_NUMBERS = tuple(_NAMES)

OOM_SCORE_ADJUSTMENT = 500
"""From -1000, never killed, to 1000, first of all; 500 counts like half of the machine's memory."""

_OOM_FILE = Path("/proc/self/oom_score_adj")


def be_killed_first() -> None:
    """Let the kernel, should memory run out, end this process and those it starts before the engine and the server.

    A lost worker costs one attempt of one job; see oom_score_adj in proc(5).
    """
    with suppress(OSError):
        if int(_OOM_FILE.read_text()) < OOM_SCORE_ADJUSTMENT:
            _OOM_FILE.write_text(str(OOM_SCORE_ADJUSTMENT))


class Precedence:
    """Whether this process, when it is woken, interrupts who has woken it, or waits for its turn.

    Waiting costs it little of the processor (sched(7), SCHED_OTHER and SCHED_BATCH). Another policy, which whoever runs
    the server has chosen, is left alone.
    """

    def __init__(self) -> None:
        """It interrupts, as processes do."""
        self._policy = os.sched_getscheduler(0)
        self._may_change = self._policy == os.SCHED_OTHER

    def wait_for_turn(self, waits: bool) -> None:
        """Wait when there is more to do than one job: whoever has brought it is about to bring the next."""
        policy = os.SCHED_BATCH if waits else os.SCHED_OTHER
        if policy != self._policy and self._may_change:
            self._policy = policy
            with suppress(OSError):
                os.sched_setscheduler(0, policy, os.sched_param(0))


class ProcessLimits:
    """The resource limits that matter and the niceness, as they are when the worker is set up."""

    def __init__(self) -> None:
        """Remember them."""
        self._limits = _limits()
        self._niceness = _niceness()

    def restore(self) -> str | None:
        """Put back what a job has changed; answers in words what cannot be put back.

        Only root may raise a hard limit that was lowered, or lower the niceness.
        """
        limits, niceness = _limits(), _niceness()
        if limits == self._limits and niceness == self._niceness:
            return None
        for number, before in zip(_NUMBERS, self._limits, strict=True):
            with suppress(ValueError, OSError):
                resource.setrlimit(number, before)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, self._niceness)
        left = [
            _NAMES[number]
            for number, now, before in zip(_NUMBERS, _limits(), self._limits, strict=True)
            if now != before
        ]
        if _niceness() != self._niceness:
            left.append("the niceness")
        return f"the job lowered for good: {', '.join(left)}" if left else None


def _limits() -> tuple[tuple[int, int], ...]:
    return tuple(map(resource.getrlimit, _NUMBERS))


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)
