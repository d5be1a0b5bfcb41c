"""What the engine tells the server by itself, told on to those who asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mcp_queue_plugin.adapter.bridge.worker import queued_commands
from mcp_queue_plugin.adapter.job_types import unresolvable_job_types
from mcp_queue_plugin.engine.notices import ClientEvents
from mcp_queue_plugin.workers.protocol import Ready

logger = logging.getLogger(__name__)

TerminalListener = Callable[[str], None]


class EngineListener(ClientEvents):
    """Passes ends of jobs to terminal listeners, and says aloud what workers lack."""

    def __init__(self, on_stop_adopted: Callable[[str], None]) -> None:
        """Pass stops of jobs that run in the server to ``on_stop_adopted``."""
        self._terminal: list[TerminalListener] = []
        self._cancel = on_stop_adopted

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
        loop = asyncio.get_running_loop()
        for listener in self._terminal:
            for job_id in job_ids:
                loop.call_soon(listener, job_id)

    def notify(self, job_id: str) -> None:
        """Tell every listener of one job, now."""
        for listener in tuple(self._terminal):
            listener(job_id)

    def on_stop_adopted(self, job_id: str) -> None:
        """Pass the stop on."""
        self._cancel(job_id)

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
