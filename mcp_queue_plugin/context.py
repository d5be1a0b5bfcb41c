"""What a job's own code sees of the queue: ``current_job()``."""

from __future__ import annotations

import math
import os
import sys
from typing import Protocol

from mcp_queue_plugin.errors import InvalidParameters, NotInJob
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH
from mcp_queue_plugin.model.operations import Changes
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.words import shown


class Reporter(Protocol):
    """The worker's side of a running attempt."""

    def report(self, changes: Changes) -> None:
        """Send ``changes`` on; quick calls may be merged, the last value of a field is never lost."""
        ...

    def follow(self, course: Course) -> None:
        """Let the progress follow the clock along ``course``, until the attempt reports progress or ends."""
        ...

    def stop_requested(self) -> bool:
        """Whether a stop has arrived by now."""
        ...


class JobContext:
    """One running attempt of a job, as its code sees it. All methods may be called from any thread.

    In a process that the job has forked off they do nothing, but for ``log``.
    """

    def __init__(self, job_id: str, attempt: int, reporter: Reporter) -> None:
        """Speak for attempt ``attempt`` of ``job_id`` through ``reporter``."""
        self.job_id = job_id
        self.attempt = attempt
        self.reporter = reporter

    def set_progress(self, percent: float) -> None:
        """Report the progress in percent; values below 0 or above 100 are clamped, fractions are cut off.

        Raises:
            InvalidParameters: ``percent`` is no number.

        """
        self.reporter.report(Changes(progress=_whole_percent(percent)))

    def set_description(self, text: str) -> None:
        """Report in words what the job is doing; cut to 1,024 characters."""
        self.reporter.report(Changes(description=storable(str(text), DESCRIPTION_MAX_LENGTH)))

    def set_step(self, code: str) -> None:
        """Report a machine-readable code of the step the job is in; cut to 1,024 characters."""
        self.reporter.report(Changes(step=storable(str(code), DESCRIPTION_MAX_LENGTH)))

    def should_stop(self) -> bool:
        """Whether the job was asked to stop; a job that sees True should return soon."""
        return self.reporter.stop_requested()

    def log(self, message: str) -> None:
        """Write a line to the job's log (its standard output)."""
        sys.stdout.write(f"{message}\n")


_current: JobContext | None = None


def current_job() -> JobContext:
    """The job that this code runs in, from any function, coroutine or thread of it.

    Raises:
        NotInJob: the caller does not run inside a job; a process that the job has started, forked or not, does not.

    """
    if _current is None:
        raise NotInJob
    return _current


def enter_job(context: JobContext | None) -> None:
    """Make ``context`` the current job of this process; None when it has ended. For the worker only."""
    global _current
    _current = context


def _whole_percent(value: float) -> int:
    try:
        is_number = not math.isnan(value)
    except OverflowError:
        # An integer that no float can hold.
        is_number = True
    except TypeError:
        is_number = False
    if not is_number:
        raise InvalidParameters(
            f"the progress must be a number from 0 to 100, not {shown(value)}", field="progress", got=shown(value)
        )
    return int(max(0, min(100, value)))


# A forked process has its parent's memory, but is not the one whose job this is.
os.register_at_fork(after_in_child=lambda: enter_job(None))
