"""The progress of a job that reports none, guessed from what its parameters say of the time it will take."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

DURATION = "duration"
STEPS = "steps"
STEPS_DEFAULT = 10
STEPS_MAX = 1_000_000
DURATION_MAX_SECONDS = 1_000_000_000
GUESS_MAX_PERCENT = 99
STEP_MIN_SECONDS = 0.1


class Course(NamedTuple):
    """How the progress runs if nobody reports it: in ``steps`` equal steps over ``duration_seconds``."""

    duration_seconds: float
    steps: int

    def percent(self, elapsed_seconds: float) -> int:
        """The progress after ``elapsed_seconds``; 99 at most, because only the end is 100."""
        return min(GUESS_MAX_PERCENT, 100 * self._step(elapsed_seconds) // self.steps)

    def next_step_seconds(self, elapsed_seconds: float) -> float | None:
        """In how many seconds the next step is due, at least a tenth; None after the last."""
        step = self._step(elapsed_seconds) + 1
        if step > self.steps:
            return None
        return max(STEP_MIN_SECONDS, step * (self.duration_seconds / self.steps) - elapsed_seconds)

    def _step(self, elapsed_seconds: float) -> int:
        if elapsed_seconds >= self.duration_seconds:
            return self.steps
        return min(self.steps - 1, int(elapsed_seconds / self.duration_seconds * self.steps))


def announced_course(params: Mapping[str, Any], known: Container[str]) -> Course | None:
    """What ``params`` announce by ``duration``, in seconds, and ``steps``; None if they do not.

    A command that is among its ``known`` parameters lets ``steps`` be left out, and then goes in ten.
    """
    duration, steps = params.get(DURATION), params.get(STEPS)
    if steps is None and STEPS in known:
        steps = STEPS_DEFAULT
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not 0 < duration <= DURATION_MAX_SECONDS:
        return None
    if isinstance(steps, bool) or not isinstance(steps, int) or not 0 < steps <= STEPS_MAX:
        return None
    return Course(float(duration), steps)
