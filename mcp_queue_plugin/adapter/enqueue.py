"""How a ``use_queue`` command becomes a job: stored and queued in one transaction, before the caller is answered."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

from mcp_proxy_adapter.core.errors import InternalError
from mcp_proxy_adapter.core.errors import TimeoutError as AdapterTimeoutError
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError, QueueJobResult, QueueJobStatus

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob, is_command_execution
from mcp_queue_plugin.adapter.results import place_fields
from mcp_queue_plugin.adapter.tasks import Task
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import EngineNotRunning, QueueDisabled, QueueError
from mcp_queue_plugin.model.options import QueueOptions
from mcp_queue_plugin.model.pace import poll_after_seconds

NO_QUEUE_HERE = (
    "no queue runs in this process: a task is enqueued where QueuePlugin is installed and queue_manager.enabled true, "
    "or init_global_queue_manager() was awaited; the process of a job has no queue"
)
POLL_WITH = "queue_get_job_status"
STORE = "queuemgr"


def install() -> None:
    """Put this way of queueing in place of the adapter's, on all of its surfaces."""
    server.replace_enqueue(enqueue_command)
    server.replace_session_manager(session_manager)


async def enqueue_command(
    command_name: str,
    params: dict[str, Any],
    context: dict[str, Any],
    logger: Any,
    *,
    poll_interval: float | None,
    max_wait_time: float | None,
    queued_after_timeout: bool = False,
) -> dict[str, Any]:
    """Queue one command; with a ``poll_interval`` wait for its end, at most ``max_wait_time`` seconds.

    Raises:
        CommandError: the queue cannot take it; nothing was stored.
        TimeoutError: the adapter's; the job has not ended in time, and runs on.
    """
    command_params = {key: value for key, value in params.items() if key not in _POLLING}
    try:
        manager = running_manager()
        defaults = manager.settings.queue_manager
        # For what the call does not say the adapter passes what its own global configuration holds, if it has one:
        # ours are the settings in force.
        interval = poll_interval if "poll_interval" in params else defaults.default_poll_interval or poll_interval
        with manager.waits.one() if interval else nullcontext():
            answer = await submit_command(manager, command_name, command_params, context)
            job_id = answer.job.job_id
            logger.info("Queued command %s as job %s", command_name, job_id)
            if not interval:
                return start_answer(answer)
            seconds = max_wait_time if "max_wait_time" in params else defaults.default_max_wait_time or max_wait_time
            return await _wait(manager, job_id, command_name, seconds)
    except QueueError as error:
        raise server.adapter_error(error) from error


def running_manager() -> QueueManagerIntegration:
    """The global manager.

    Raises:
        QueueDisabled: there is none, because the configuration says so.
        EngineNotRunning: it has stopped.
    """
    manager = server.global_manager_or_none()
    if manager is None:
        raise QueueDisabled
    if not isinstance(manager, QueueManagerIntegration) or not manager.is_running():
        raise EngineNotRunning
    return manager


async def enqueue_task(
    task: Task[..., Any], arguments: dict[str, Any], options: QueueOptions, job_id: str | None
) -> QueueJobResult:
    """Store and queue a job that calls ``task``; without a ``job_id`` it gets one that nobody can guess.

    Raises:
        QueueError: the queue cannot take it; nothing was stored.
    """
    try:
        manager = running_manager()
    except QueueDisabled as error:
        raise EngineNotRunning(NO_QUEUE_HERE) from error
    try:
        return await manager.submit_job(task, new_job_id() if job_id is None else job_id, arguments, options)
    except QueueJobError as error:
        # The manager speaks the adapter's language; who enqueues a task gets the error behind that.
        raise cast("QueueError", error.original_error) from None


_POLLING = frozenset({"poll_interval", "max_wait_time"})


def has_to_be_polled(params: dict[str, Any]) -> bool:
    """Whether a call of a command may wait for its job's end, as the call says or, where it is silent, the settings."""
    if not _POLLING.isdisjoint(params):
        return True
    manager = server.global_manager_or_none()
    return isinstance(manager, QueueManagerIntegration) and bool(manager.settings.queue_manager.default_poll_interval)


async def submit_command(
    manager: QueueManagerIntegration, command_name: str, params: dict[str, Any], context: dict[str, Any]
) -> Answer:
    """Store and queue a job that runs a command; answers its record, and where it stands.

    Raises:
        QueueError: the queue cannot take it; nothing was stored.
    """
    job_params = {"command": command_name, "params": params, "context": context}
    submission, document = manager.submission(CommandExecutionJob, new_job_id(), job_params)
    return await manager.engine.submit(submission, document, start=True, with_place=True)


def start_answer(answer: Answer, poll_with: str = POLL_WITH) -> dict[str, Any]:
    """What a client is told of a job that it has started by calling a command."""
    job = answer.job
    return {
        "success": True,
        "job_id": job.job_id,
        "status": job.status.value,
        "message": f"Command '{job.command}' has been queued for execution; track via {poll_with}",
        "store": STORE,
        "poll_with": poll_with,
        "phase": job.state.phase,
        **place_fields(answer.place),
        "poll_after_seconds": poll_after_seconds(job, job.created_at),
    }


async def _wait(
    manager: QueueManagerIntegration, job_id: str, command_name: str, max_wait_time: float | None
) -> dict[str, Any]:
    try:
        result = await manager.wait_job(job_id, max_wait_time)
    except QueueJobError as error:
        raise InternalError(
            f"Failed to get job status for {job_id}: {error}", data={"job_id": job_id, "command": command_name}
        ) from error
    if result.status in (QueueJobStatus.PENDING, QueueJobStatus.RUNNING):
        raise AdapterTimeoutError(
            f"Polling timeout after {max_wait_time} seconds for job {job_id}",
            data={"job_id": job_id, "command": command_name, "max_wait_time": max_wait_time},
        )
    return _ended(result, command_name)


def _ended(result: QueueJobResult, command_name: str) -> dict[str, Any]:
    said = {
        QueueJobStatus.COMPLETED: f"Command '{command_name}' completed successfully",
        QueueJobStatus.FAILED: f"Command '{command_name}' failed",
    }.get(result.status, f"Command '{command_name}' was stopped")
    answer = {
        "success": result.status == QueueJobStatus.COMPLETED,
        "job_id": result.job_id,
        "status": result.status,
        "result": result.result,
        "progress": result.progress,
        "description": result.description,
        "message": said,
    }
    if result.status == QueueJobStatus.FAILED:
        answer["error"] = result.error or "Job failed"
    return answer


class SessionManager:
    """The manager as a /ws command session uses it: what it adds is queued in the same step.

    The adapter adds a session's job and starts it later, in a task of its own; a server that dies in between would
    leave a job that nobody starts.
    """

    def __init__(self, manager: QueueManagerIntegration) -> None:
        """Use ``manager`` for everything else."""
        self._manager = manager
        self._submitted: set[str] = set()

    async def add_job(self, job_class: type, job_id: str, params: dict[str, Any]) -> QueueJobResult:
        """Store and queue a command's job."""
        if not is_command_execution(job_class):
            return await self._manager.add_job(job_class, job_id, params)
        self._submitted.add(job_id)
        return await self._manager.submit_job(job_class, job_id, params)

    async def start_job(self, job_id: str) -> QueueJobResult:
        """Answer the record of a job that was queued when it was added; by now it may even have ended."""
        if job_id in self._submitted:
            return await self._manager.get_job_status(job_id)
        return await self._manager.start_job(job_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)


async def session_manager() -> SessionManager:
    """The manager for one command session.

    Raises:
        QueueJobError: the queue is disabled or has stopped.
    """
    try:
        return SessionManager(running_manager())
    except QueueError as error:
        raise QueueJobError("", error.message, error) from error
