"""What the engine tells the server by itself, told on to those who asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Protocol

from mcp_queue_plugin.adapter.bridge.worker import queued_commands
from mcp_queue_plugin.adapter.job_types import unresolvable_job_types
from mcp_queue_plugin.engine.notices import ClientEvents
from mcp_queue_plugin.workers.protocol import Ready

logger = logging.getLogger(__name__)

TerminalListener = Callable[[str], None]


class InProcess(Protocol):
    """The jobs that run in the server's own process."""

    def job_ids(self) -> tuple[str, ...]:
        """Those that run now."""
        ...

    def cancel(self, job_id: str) -> None:
        """Cancel one."""
        ...

    def on_ended(self, job_ids: Iterable[str]) -> None:
        """The ends of these are recorded; of other jobs as well."""
        ...

    def record_again(self) -> None:
        """Record all that run in an engine that is new."""
        ...


class EngineListener(ClientEvents):
    """Passes ends of jobs to terminal listeners, and says aloud what workers lack."""

    def __init__(self, in_process: Callable[[], InProcess]) -> None:
        """Speak with what ``in_process`` answers about the jobs that run in the server."""
        self._terminal: list[TerminalListener] = []
        self._in_process = in_process

    def add(self, listener: TerminalListener) -> None:
        """Call ``listener`` with the id of each job that ends."""
        if listener not in self._terminal:
            self._terminal.append(listener)

    def remove(self, listener: TerminalListener) -> None:
        """Call ``listener`` no more."""
        if listener in self._terminal:
            self._terminal.remove(listener)

    def on_ended(self, job_ids: tuple[str, ...]) -> None:
        """Tell every listener of every job, each by a call of its own: one that raises harms no other."""
        self._in_process().on_ended(job_ids)
        loop, no_caller = asyncio.get_running_loop(), Context()
        for listener in self._terminal:
            for job_id in job_ids:
                loop.call_soon(listener, job_id, context=no_caller)

    def notify(self, job_id: str) -> None:
        """Tell every listener of one job, now."""
        for listener in tuple(self._terminal):
            listener(job_id)

    def on_stop_adopted(self, job_id: str) -> None:
        """Pass the stop on."""
        self._in_process().cancel(job_id)

    def jobs_in_process(self) -> tuple[str, ...]:
        """Those that run now."""
        return self._in_process().job_ids()

    def on_revived(self) -> None:
        """Record again what a lost engine may not have recorded."""
        self._in_process().record_again()

    def on_ready(self, ready: Ready) -> None:
        """Warn of everything that the server knows and its workers do not."""
        for module, trace in ready.failed_imports.items():
            logger.error("The module %s cannot be imported in a worker:\n%s", module, trace)
        for command in sorted(set(queued_commands()) - set(ready.commands)):
            logger.warning(
                "The command %s is registered in the server only and will fail in the workers: "
                "name its module in queue_plugin.auto_import_modules",
                command,
            )
        for name in unresolvable_job_types():
            logger.warning(
                "The job type %s is defined where workers cannot import it: move its class to the top of a module", name
            )
