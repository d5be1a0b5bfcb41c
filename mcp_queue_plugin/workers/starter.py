"""Starts workers, all of the present generation, and waits ever longer after those that do not become ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.workers.backoff import Backoff
from mcp_queue_plugin.workers.owner import WorkerOwner
from mcp_queue_plugin.workers.process import Worker
from mcp_queue_plugin.workers.protocol import Setup
from mcp_queue_plugin.workers.statistics import Tally


class Starter:
    """Starts nothing before it has a ``setup``, nor after it was closed."""

    def __init__(
        self,
        owner: WorkerOwner,
        rules: WorkerRules,
        *,
        clock: Clock,
        command: Sequence[str],
        tally: Tally,
        on_failed: Callable[[WorkerStartFailed], None],
        try_again: Callable[[], None],
    ) -> None:
        """Start ``command`` for ``owner``; tell failures to ``on_failed``, and call ``try_again`` a while after one."""
        self.setup: Setup | None = None
        """What makes a worker of the present generation."""
        self._owner = owner
        self._start_timeout_seconds = rules.start_timeout_seconds
        self._clock = clock
        self._command = command
        self._tally = tally
        self._on_failed = on_failed
        self._backoff = Backoff(try_again)
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether a worker may start now."""
        return self.setup is not None and not self._closed and not self._backoff.waiting

    def start(self) -> Worker | None:
        """Start a worker; None if it failed, or none may start now."""
        if self.setup is None or not self.ready:
            return None
        try:
            worker = Worker(
                self.setup,
                self._owner,
                start_timeout_seconds=self._start_timeout_seconds,
                clock=self._clock,
                command=self._command,
            )
        except WorkerStartFailed as error:
            self.failed(error)
            return None
        self._tally.started += 1
        return worker

    def failed(self, error: WorkerStartFailed) -> None:
        """Take note that a worker did not become ready."""
        if not self._closed:
            self._tally.last_error = error.message
            self._backoff.failed()
            self._on_failed(error)

    def succeeded(self) -> None:
        """Take note that a worker has become ready, or that the next will be of another generation."""
        self._backoff.reset()

    def close(self) -> None:
        """Start no more."""
        self._closed = True
        self._backoff.reset()
