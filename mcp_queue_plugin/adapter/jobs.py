"""Jobs as the adapter and queuemgr know them, run inside our workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobBase
from queuemgr.core.types import JobCommand, JobStatus
from queuemgr.jobs.base import QueueJobBase as QueuemgrJobBase

from mcp_queue_plugin.adapter.bridge import worker
from mcp_queue_plugin.context import JobContext
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.operations import EndingKind

COMMAND_EXECUTION = "command_execution"

JobClass = type[QueuemgrJobBase]


class CommandExecutionJob(QueueJobBase):
    """Runs a registered command; params are ``{command, params, context}``.

    The adapter's class of this name, handed to our manager, means this one.
    """

    async def execute_command(self, context: JobContext) -> CommandResult:
        """Run the command; its context carries a ``progress_tracker``.

        Raises:
            InvalidParameters: no command is named.
            CommandUnknown: the worker does not know the command.
        """
        name = self.mcp_params.get("command")
        if not isinstance(name, str) or not name:
            raise InvalidParameters("the job names no command", field="command", value=name)
        command_context = {**(self.mcp_params.get("context") or {}), "progress_tracker": context}
        return await worker.execute(name, dict(self.mcp_params.get("params") or {}), command_context)

    def envelope(self, result: CommandResult) -> tuple[dict[str, Any], bool]:
        """The result document the adapter's clients read, and whether the command reported an error."""
        body = result.to_dict() if hasattr(result, "to_dict") else {"result": str(result)}
        with_error = isinstance(result, ErrorResult) or body.get("success") is False
        document = {
            "job_id": self.job_id,
            "command": self.mcp_params["command"],
            "result": body,
            "status": "completed",
        }
        return document, with_error


def is_command_execution(job_class: type) -> bool:
    """Whether ``job_class`` runs a command: ours, the adapter's, or an application's subclass of one of them.

    The parameters of each name the command, and may name modules for the worker to import.
    """
    return issubclass(job_class, CommandExecutionJob | AdapterCommandExecutionJob)


def executing_class(job_class: type) -> type:
    """The class that a worker runs for ``job_class``: ours instead of the adapter's own, any other as it is."""
    return CommandExecutionJob if job_class is AdapterCommandExecutionJob else job_class


class JobReturn(NamedTuple):
    """What a job said of its end: how, its result if it set one, and a message if it failed."""

    kind: EndingKind
    result: Any
    message: str | None


class _Cell:
    """A value of the state that queuemgr's jobs write to; ``on_set`` hears of each write."""

    def __init__(self, value: Any, on_set: Callable[[Any], None] | None = None) -> None:
        self._value = value
        self._on_set = on_set

    @property
    def value(self) -> Any:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value
        if self._on_set is not None:
            self._on_set(value)


class _CommandCell:
    """What the queue has ordered: ``should_stop`` of the adapter's jobs reads it."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    @property
    def value(self) -> int:
        return int(JobCommand.STOP if self._context.should_stop() else JobCommand.NONE)


class JobRun:
    """One run of a job class: its hooks in queuemgr's order, and the state that its methods write to."""

    def __init__(self, job: QueuemgrJobBase, context: JobContext) -> None:
        """Prepare to run ``job``; its progress and description go to ``context``."""
        self._job = job
        self._context = context
        self._status = _Cell(JobStatus.RUNNING)
        self._result = _Cell(None)
        self._has_result = False
        # queuemgr's seam for whoever runs a job.
        job._set_shared_state(  # noqa: SLF001
            {
                "lock": threading.RLock(),
                "status": self._status,
                "command": _CommandCell(context),
                "progress": _Cell(0, context.set_progress),
                "description": _Cell(b"", lambda text: context.set_description(text.decode())),
                "result": self._result,
            }
        )

    def run(self) -> JobReturn:
        """Run the job. What it raises is raised, after its ``on_error``."""
        try:
            self._job.on_start()
            if not self._context.should_stop():
                self._job.execute()
            if self._context.should_stop():
                self._job.on_stop()
                return JobReturn(EndingKind.STOPPED, self._result.value, None)
            self._job.on_end()
        except BaseException as error:
            self._job.on_error(error)
            raise
        return self._returned()

    def _returned(self) -> JobReturn:
        result = self._result.value
        status = JobStatus(self._status.value)
        failure = _failure(result, status)
        if failure is not None:
            return JobReturn(EndingKind.FAILED, result, failure)
        if status is JobStatus.STOPPED:
            return JobReturn(EndingKind.STOPPED, result, None)
        return JobReturn(EndingKind.COMPLETED, result, None)


def _failure(result: Any, status: JobStatus) -> str | None:
    """Why a job that returned has failed all the same, by its status or by what its result says; None if it has not."""
    said = result if isinstance(result, dict) else {}
    failed = (
        status is JobStatus.ERROR
        or str(said.get("status", "")).lower() in {"error", "failed"}
        or said.get("success") is False
    )
    if not failed:
        return None
    words = said.get("error") or said.get("message") or said.get("description")
    return str(words or "the job set its status to failed")
