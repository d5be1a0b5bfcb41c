"""What a job's own code sees of the queue: ``current_job()``."""

from __future__ import annotations

import sys
from typing import Protocol

from mcp_queue_plugin.errors import NotInJob
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH
from mcp_queue_plugin.model.operations import Changes
from mcp_queue_plugin.model.text import storable


class Reporter(Protocol):
    """The worker's side of a running attempt."""

    def report(self, changes: Changes) -> None:
        """Send ``changes`` on; quick calls may be merged, the last value of a field is never lost."""
        ...

    def stop_requested(self) -> bool:
        """Whether a stop has arrived by now."""
        ...


class JobContext:
    """One running attempt of a job, as its code sees it. All methods may be called from any thread."""

    def __init__(self, job_id: str, attempt: int, reporter: Reporter) -> None:
        """Speak for attempt ``attempt`` of ``job_id`` through ``reporter``."""
        self.job_id = job_id
        self.attempt = attempt
        self._reporter = reporter

    def set_progress(self, percent: int) -> None:
        """Report the progress, 0 to 100; values outside are clamped."""
        self._reporter.report(Changes(progress=max(0, min(100, int(percent)))))

    def set_description(self, text: str) -> None:
        """Report in words what the job is doing; cut to 1,024 characters."""
        self._reporter.report(Changes(description=storable(str(text), DESCRIPTION_MAX_LENGTH)))

    def set_step(self, code: str) -> None:
        """Report a machine-readable code of the step the job is in; cut to 1,024 characters."""
        self._reporter.report(Changes(step=storable(str(code), DESCRIPTION_MAX_LENGTH)))

    def should_stop(self) -> bool:
        """Whether the job was asked to stop; a job that sees True should return soon."""
        return self._reporter.stop_requested()

    def log(self, message: str) -> None:
        """Write a line to the job's log (its standard output)."""
        sys.stdout.write(f"{message}\n")


_current: JobContext | None = None


def current_job() -> JobContext:
    """The job that this code runs in, from any function, coroutine or thread of it.

    Raises:
        NotInJob: the caller does not run inside a job.

    """
    if _current is None:
        raise NotInJob
    return _current


def enter_job(context: JobContext | None) -> None:
    """Make ``context`` the current job of this process; None when it has ended. For the worker only."""
    global _current
    _current = context
