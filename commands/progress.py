"""One way to report progress, whether a job surrounds the code or not."""

from __future__ import annotations

from typing import Protocol

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.errors import NotInJob


class Progress(Protocol):
    """What long work tells of itself and asks about itself; the plugin's ``JobContext`` is one."""

    def set_progress(self, percent: int) -> None:
        """Report the progress, 0 to 100."""
        ...

    def set_description(self, text: str) -> None:
        """Report in words what is being done."""
        ...

    def should_stop(self) -> bool:
        """Whether the work was asked to stop."""
        ...


class Unobserved:
    """The progress of work that nobody watches: reports go nowhere and nobody asks it to stop."""

    def set_progress(self, percent: int) -> None:
        """Do nothing."""

    def set_description(self, text: str) -> None:
        """Do nothing."""

    def should_stop(self) -> bool:
        """Never."""
        return False


def current_progress() -> Progress:
    """The current job, or ``Unobserved`` where there is none, as in a direct call."""
    try:
        return current_job()
    except NotInJob:
        return Unobserved()
