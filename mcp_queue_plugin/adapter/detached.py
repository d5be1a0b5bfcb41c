"""Commands that the adapter runs in the server's own process, followed like all other jobs.

The adapter hands over what exceeds its cap for synchronous commands, and what its WebSocket sessions run in process.
Their records live in the same store, so every queue command serves their ids; the work itself ends with the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from mcp_queue_plugin.adapter.callers import current_caller
from mcp_queue_plugin.adapter.jobs import MESSAGE_MAX_LENGTH
from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import EngineNotRunning, NotJson
from mcp_queue_plugin.model.job import IN_PROCESS_COMMAND, RESULT_TOO_LARGE, Submission
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.text import storable

logger = logging.getLogger(__name__)


class _Running(NamedTuple):
    """A command that runs. The task is here so that somebody holds it: a loop does not."""

    command_name: str
    owner: str | None
    run_task: asyncio.Future[Any] | None
    cancellable: bool


class DetachedCommands:
    """The running ones, by job id, and how to cancel those that may be cancelled."""

    def __init__(self, engine: EngineClient, result_bytes: int) -> None:
        """Record them in ``engine``; a result of more than ``result_bytes`` fails its command."""
        self._engine = engine
        self._result_bytes = result_bytes
        self._running: dict[str, _Running] = {}
        self._ends: dict[str, Callable[[], None]] = {}
        """How to report the ends that the engine has not confirmed yet."""

    def register(
        self, job_id: str, command_name: str, run_task: asyncio.Future[Any] | None, *, cancellable: bool
    ) -> None:
        """Record a command that is running; ``run_task`` is kept alive until it has ended."""
        self._running[job_id] = running = _Running(command_name, current_caller().owner, run_task, cancellable)
        self._record(job_id, running)

    def job_ids(self) -> tuple[str, ...]:
        """The commands that run now, or whose end may not be recorded yet."""
        return (*self._running, *self._ends)

    def on_ended(self, job_ids: Iterable[str]) -> None:
        """The engine has recorded the ends of these jobs."""
        for job_id in job_ids:
            self._ends.pop(job_id, None)

    def record_again(self) -> None:
        """Report everything once more to an engine that is new: the one before it may not have recorded it."""
        for job_id, running in tuple(self._running.items()):
            self._record(job_id, running)
        for report_end in tuple(self._ends.values()):
            report_end()

    def publish_result(self, job_id: str, command_name: str, envelope: Mapping[str, Any]) -> None:
        """Record the command's result."""
        document = _wrapper(job_id, command_name, envelope, "completed")
        self._end(job_id, EndingKind.COMPLETED, f"Command '{command_name}' completed", document=document)

    def publish_error(self, job_id: str, command_name: str, message: str, envelope: Mapping[str, Any] | None) -> None:
        """Record the command's failure."""
        document = None if envelope is None else _wrapper(job_id, command_name, envelope, "failed")
        self._end(job_id, EndingKind.FAILED, f"Command '{command_name}' failed", message=message, document=document)

    def publish_stopped(self, job_id: str, command_name: str) -> None:
        """Record that the command was cancelled."""
        self._end(job_id, EndingKind.STOPPED, f"Command '{command_name}' was cancelled")

    def cancel(self, job_id: str) -> None:
        """Cancel a command that may be; another one runs on, and its record says ``stopping`` until it has ended."""
        running = self._running.get(job_id)
        if running is not None and running.cancellable and running.run_task is not None:
            running.run_task.get_loop().call_soon_threadsafe(running.run_task.cancel)

    def _record(self, job_id: str, running: _Running) -> None:
        submission = Submission(
            job_id=job_id,
            job_type=IN_PROCESS_COMMAND,
            target=IN_PROCESS_COMMAND,
            command=running.command_name,
            owner=running.owner,
            options=JobOptions(on_interrupt="fail"),
        )
        self._engine.adopt(submission, b"{}", f"Command '{running.command_name}', run by the server itself")

    def _end(
        self,
        job_id: str,
        kind: EndingKind,
        description: str,
        *,
        message: str | None = None,
        document: dict[str, Any] | None = None,
    ) -> None:
        if self._running.pop(job_id, None) is None:
            return
        try:
            result = None if document is None else encode_document(document)
        except NotJson as error:
            kind, result, message = EndingKind.FAILED, None, error.message
        if result is not None and len(result) > self._result_bytes:
            message = RESULT_TOO_LARGE.format(size=len(result), most=self._result_bytes)
            kind, result = EndingKind.FAILED, None
        # It may quote what a client has sent, of whatever length.
        message = message and storable(message, MESSAGE_MAX_LENGTH)
        report_end = partial(self._engine.end_adopted, job_id, kind, description, error=message, result=result)
        self._ends[job_id] = report_end
        try:
            report_end()
        except EngineNotRunning:
            logger.warning("The queue has stopped before job %s ended in the server: %s", job_id, description)


def _wrapper(job_id: str, command_name: str, envelope: Mapping[str, Any], status: str) -> dict[str, Any]:
    return {"job_id": job_id, "command": command_name, "result": dict(envelope), "status": status}
