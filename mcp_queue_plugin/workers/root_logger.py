"""The root logger, put back between jobs."""

from __future__ import annotations

import logging


class RootLogger:
    """How the root logger is when the worker is set up.

    A job that configures logging for itself would otherwise decide what becomes of the records of all jobs after it:
    written twice, without a time, or not at all.
    """

    def __init__(self) -> None:
        """Remember its handlers and its level, and which levels are disabled."""
        self._handlers = logging.root.handlers.copy()
        self._level = logging.root.level
        self._disabled = logging.root.manager.disable

    def restore(self) -> None:
        """Put back what a job has changed."""
        root = logging.root
        if root.handlers != self._handlers:
            root.handlers[:] = self._handlers
        if root.level != self._level:
            root.setLevel(self._level)
        if root.manager.disable != self._disabled:
            logging.disable(self._disabled)
