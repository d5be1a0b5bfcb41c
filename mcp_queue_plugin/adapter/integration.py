"""The manager: the adapter's ``QueueManagerIntegration``, kept by our engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult, QueueJobStatus

from mcp_queue_plugin.adapter import results
from mcp_queue_plugin.adapter.job_logs import whole_log
from mcp_queue_plugin.adapter.job_types import JobTarget
from mcp_queue_plugin.adapter.results import job_result, raises_job_errors
from mcp_queue_plugin.adapter.running import RunningQueue
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.model.options import QueueOptions
from mcp_queue_plugin.model.queries import JobPage, JobQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.settings import load_settings

STOPPED_BY_REQUEST = "stopped by request"
DELETED_BY_REQUEST = "deleted by request"

# A free worker takes a queued job within milliseconds; a job that still waits after this has to wait for a slot.
SLOT_WAIT_SECONDS = 0.2


class QueueManagerIntegration(RunningQueue):
    """Background jobs for one server: durable, isolated in worker processes, followed to their end.

    The documented methods keep the adapter's signatures and raise its ``QueueJobError``. The queue's commands use
    ``engine``, which raises the errors of ``mcp_queue_plugin.errors``. All methods work from any thread and event loop.
    """

    def __init__(
        self,
        registry_path: str | None = None,
        shutdown_timeout: float = 30.0,
        max_concurrent_jobs: int = 10,
        in_memory: bool = True,
        max_queue_size: int | None = None,
        per_job_type_limits: dict[str, int] | None = None,
        completed_job_retention_seconds: int = 21600,
        command_timeout: float | None = None,
        stop_job_wait_timeout: float | None = None,
        max_retained_terminal_jobs: int | None = None,
    ) -> None:
        """Take the keys of the ``queue_manager`` section; docs/reference/configuration.md says what each means.

        Raises:
            ConfigurationError: a value is not valid.
        """
        section = {
            "registry_path": registry_path,
            "shutdown_timeout": shutdown_timeout,
            "max_concurrent_jobs": max_concurrent_jobs,
            "in_memory": in_memory,
            "max_queue_size": max_queue_size,
            "per_job_type_limits": per_job_type_limits,
            "completed_job_retention_seconds": completed_job_retention_seconds,
            "command_timeout": command_timeout,
            "stop_job_wait_timeout": stop_job_wait_timeout,
            "max_retained_terminal_jobs": max_retained_terminal_jobs,
        }
        super().__init__(load_settings({"queue_manager": section}, source="init_global_queue_manager"))

    @raises_job_errors
    async def add_job(self, job_class: JobTarget, job_id: str, params: dict[str, Any]) -> QueueJobResult:
        """Store a job without starting it.

        Raises:
            QueueJobError: the id is taken, or the parameters are not JSON; nothing was stored.
        """
        submission, document = self.submission(job_class, job_id, params)
        return job_result(await self.engine.submit(submission, document, start=False))

    @raises_job_errors
    async def submit_job(
        self, job_class: JobTarget, job_id: str, params: dict[str, Any], options: QueueOptions | None = None
    ) -> QueueJobResult:
        """Store a job and queue it, in one transaction; ``options`` go before those of its class.

        Raises:
            QueueJobError: the id is taken, an option or the parameters are not valid, or the queue is full; nothing
                was stored.
        """
        submission, document = self.submission(job_class, job_id, params, options)
        return job_result(await self.engine.submit(submission, document, start=True))

    @raises_job_errors
    async def start_job(self, job_id: str) -> QueueJobResult:
        """Queue an added job; starting a started job changes nothing.

        Answers ``running``, ``pending`` when all slots are taken, or the end of a job that has already come to it.

        Raises:
            QueueJobError: there is no such job, or it has ended.
        """
        answer = await self.engine.start_job(job_id)
        if answer.job.state is State.QUEUED:
            version = answer.job.version
            answer = await self.engine.status(job_id, wait_seconds=SLOT_WAIT_SECONDS, known_version=version)
        return job_result(answer)

    @raises_job_errors
    async def retry_job(self, job_id: str) -> QueueJobResult:
        """Queue a job again that has failed or was stopped, with all its retries before it again.

        Raises:
            QueueJobError: there is no such job, it is in another state, or the queue is full.
        """
        return job_result(await self.engine.retry_job(job_id))

    @raises_job_errors
    async def stop_job(self, job_id: str) -> QueueJobResult:
        """Stop a job, by force after its grace time.

        Raises:
            QueueJobError: there is no such job, or it has ended.
        """
        answer = await self.engine.stop_job(job_id, reason=STOPPED_BY_REQUEST)
        return job_result(answer, metadata=results.stop_metadata(answer.job))

    @raises_job_errors
    async def delete_job(self, job_id: str) -> QueueJobResult:
        """Delete a job; a running one is stopped first.

        Raises:
            QueueJobError: there is no such job.
        """
        answer = await self.engine.delete_job(job_id, reason=DELETED_BY_REQUEST)
        result = job_result(answer, metadata=results.delete_metadata(answer.job))
        if answer.job.state is State.DELETED:
            result.status = QueueJobStatus.DELETED
        return result

    @raises_job_errors
    async def get_job_status(self, job_id: str) -> QueueJobResult:
        """Answer a job's record, with its result.

        Raises:
            QueueJobError: there is no such job.
        """
        return job_result(await self.engine.status(job_id))

    @raises_job_errors
    async def wait_job(self, job_id: str, timeout_seconds: float | None = None) -> QueueJobResult:
        """Wait for the end of a job, without polling, and answer its record.

        After ``timeout_seconds`` the record is answered as it stands then.

        Raises:
            QueueJobError: there is no such job.
        """
        seconds = _A_YEAR_SECONDS if timeout_seconds is None else timeout_seconds
        return job_result(await self.engine.status(job_id, wait_seconds=seconds, until="end"))

    @raises_job_errors
    async def get_job_logs(self, job_id: str) -> dict[str, Any]:
        """All lines that are kept of what a job wrote: ``stdout`` and ``stderr`` as lists; and how many it has written.

        Raises:
            QueueJobError: there is no such job.
        """
        return await whole_log(self.engine, job_id)

    @raises_job_errors
    async def list_jobs(self) -> list[QueueJobResult]:
        """All jobs, newest first, without their results."""
        jobs: list[QueueJobResult] = []
        cursor: int | None = None
        while True:
            page: JobPage = (await self.engine.list_jobs(JobQuery(after_uid=cursor, limit=1000))).page
            jobs.extend(job_result(Answer(job)) for job in page.jobs)
            cursor = page.next_uid
            if cursor is None:
                return jobs

    @raises_job_errors
    async def get_queue_health(self) -> dict[str, Any]:
        """How the queue is: the documented keys, and ``backend``, ``durable``, ``workers``, ``issues``."""
        return await self.health()

    def add_terminal_listener(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with the id of each job that ends."""
        self._listener.add(listener)

    def remove_terminal_listener(self, listener: Callable[[str], None]) -> None:
        """Undo ``add_terminal_listener``."""
        self._listener.remove(listener)

    def notify_terminal(self, job_id: str) -> None:
        """Tell the listeners that a job has ended."""
        self._listener.notify(job_id)

    def register_detached_fallback_job(
        self,
        job_id: str,
        command_name: str,
        run_task: asyncio.Future[Any] | None = None,
        cancellable: bool = False,
    ) -> None:
        """Record a command that runs in the server itself, so that all queue commands serve its id."""
        self._detached.register(job_id, command_name, run_task, cancellable=cancellable)

    def publish_detached_fallback_result(self, job_id: str, command_name: str, result_dict: Mapping[str, Any]) -> None:
        """Record the result of such a command."""
        self._detached.publish_result(job_id, command_name, result_dict)

    def publish_detached_fallback_error(
        self,
        job_id: str,
        command_name: str,
        error_message: str,
        error_result: Mapping[str, Any] | None = None,
    ) -> None:
        """Record the failure of such a command."""
        self._detached.publish_error(job_id, command_name, error_message, error_result)

    def publish_detached_fallback_stopped(self, job_id: str, command_name: str) -> None:
        """Record that such a command was cancelled."""
        self._detached.publish_stopped(job_id, command_name)


_A_YEAR_SECONDS = 365 * 86400.0
