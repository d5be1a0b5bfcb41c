"""Jobs as the adapter and queuemgr know them, run inside our workers."""

from __future__ import annotations

import inspect
import threading
import traceback
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
from mcp_queue_plugin.model.course import DURATION, announced_course
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.workers.jobloop import JobLoop, JobStopped

COMMAND_EXECUTION = "command_execution"
JOB_FAILED = "JobFailed"
"""The type of an error that a job did not raise, but reported."""
ERROR_RESULT = "ErrorResult"
"""What ``retry_on`` calls an error that a command did not raise, but returned."""
MESSAGE_MAX_LENGTH = 2048

JobClass = type[QueuemgrJobBase]


class JobReturn(NamedTuple):
    """What a job said of its end: how, its result if it set one, and the error if it reported one.

    ``with_error`` says that a command completed with an error as its result.
    """

    kind: EndingKind
    result: Any
    error: ErrorInfo | None = None
    with_error: bool = False

    @property
    def error_kinds(self) -> tuple[str, ...]:
        """The names under which ``retry_on`` finds the error."""
        if self.with_error:
            return (ERROR_RESULT,)
        return () if self.error is None else (self.error.type,)


class CommandExecutionJob(QueueJobBase):
    """Runs a registered command; params are ``{command, params, context}``.

    The adapter's class of this name, handed to our manager, means this one.
    """

    completed_with_error = False
    """Whether the command has returned an error."""

    def prepare(self, context: JobContext, loop: JobLoop) -> None:
        """Take the attempt that this is, and the loop that the command is to run on; for the runner only."""
        self._context = context
        self._worker_loop = loop

    def run(self) -> None:
        """Run the command to its end and leave its envelope as the result, as every job leaves its own."""
        returned = self.run_command()
        self.completed_with_error = returned.with_error
        self.set_mcp_result(returned.result)

    def run_command(self) -> JobReturn:
        """Run the command to its end; its envelope is the result, in the document that the adapter's clients read."""
        result = self._worker_loop.run_until_complete(self.execute_command(self._context))
        envelope = result.to_dict() if hasattr(result, "to_dict") else {"result": str(result)}
        document = {
            "job_id": self.job_id,
            "command": self.mcp_params["command"],
            "result": envelope,
            "status": "completed",
        }
        with_error = isinstance(result, ErrorResult) or envelope.get("success") is False
        return JobReturn(EndingKind.COMPLETED, document, with_error=with_error)

    async def execute_command(self, context: JobContext) -> CommandResult:
        """Run the command; its context carries a ``progress_tracker``.

        Raises:
            InvalidParameters: no command is named.
            CommandUnknown: the worker does not know the command.
        """
        name = self.mcp_params.get("command")
        if not isinstance(name, str) or not name:
            raise InvalidParameters("the job names no command", field="command", value=name)
        params = dict(self.mcp_params.get("params") or {})
        course = announced_course(params, worker.parameters_of(name)) if DURATION in params else None
        if course is not None:
            context.reporter.follow(course)
        command_context = {**(self.mcp_params.get("context") or {}), "progress_tracker": context}
        return await worker.execute(name, params, command_context)


def is_command_execution(job_class: object) -> bool:
    """Whether ``job_class`` runs a command: ours, the adapter's, or an application's subclass of one of them.

    The parameters of each name the command, and may name modules for the worker to import.
    """
    return isinstance(job_class, type) and issubclass(job_class, CommandExecutionJob | AdapterCommandExecutionJob)


def executing_class(job_class: type) -> type:
    """The class that a worker runs for ``job_class``: ours instead of the adapter's own, any other as it is."""
    return CommandExecutionJob if job_class is AdapterCommandExecutionJob else job_class


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

    @property
    def result(self) -> Any:
        """The result that the job has set by now; None if it has set none."""
        return self._result.value

    def run(self) -> JobReturn:
        """Run the job. What it raises is raised, after its ``on_error``."""
        try:
            if self._work():
                self._job.on_stop()
                return JobReturn(EndingKind.STOPPED, self.result)
            self._job.on_end()
        except BaseException as error:
            self._tell(error)
            raise
        return self._returned()

    def _work(self) -> bool:
        """Begin and do the work; answers whether the job was asked to stop."""
        _check_is_sync(self._job)
        self._job.on_start()
        if not self._context.should_stop():
            try:
                self._job.execute()
            except JobStopped:
                return True
        return self._context.should_stop()

    def _tell(self, error: BaseException) -> None:
        # Its declared type leaves out what sys.exit raises.
        self._job.error = error  # type: ignore[assignment]
        try:
            self._job.on_error(error)
        except Exception:  # noqa: BLE001 - code of the job again; why it failed is the first error, this one is logged
            traceback.print_exc()

    def _returned(self) -> JobReturn:
        status = JobStatus(self._status.value)
        error = _reported_error(self.result, status)
        if error is not None:
            return JobReturn(EndingKind.FAILED, self.result, error)
        if status in (JobStatus.STOPPED, JobStatus.DELETED):
            return JobReturn(EndingKind.STOPPED, self.result)
        with_error = isinstance(self._job, CommandExecutionJob) and self._job.completed_with_error
        return JobReturn(EndingKind.COMPLETED, self.result, with_error=with_error)


def _check_is_sync(job: QueuemgrJobBase) -> None:
    for method in (job.execute, getattr(job, "run", None)):
        if inspect.iscoroutinefunction(method):
            name = f"{type(job).__qualname__}.{method.__name__}"
            raise TypeError(f"{name} is async, and nothing would await it: write a task or a command instead")


def _reported_error(result: Any, status: JobStatus) -> ErrorInfo | None:
    """Why a job that returned has failed all the same, by its status or by what its result says; None if it has not."""
    said = result if isinstance(result, dict) else {}
    failed = (
        status is JobStatus.ERROR
        or str(said.get("status", "")).lower() in {"error", "failed"}
        or said.get("success") is False
    )
    if not failed:
        return None
    words = said.get("error") or said.get("message") or said.get("description") or "the job set its status to failed"
    return ErrorInfo(
        type=JOB_FAILED,
        message=storable(str(words), MESSAGE_MAX_LENGTH),
        code=worker.as_error_code(said.get("code")),
    )
