"""``queue_start_job``, ``queue_stop_job`` and ``queue_delete_job``."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import DELETED_BY_REQUEST, STOPPED_BY_REQUEST, QueueManagerIntegration
from mcp_queue_plugin.adapter.results import delete_metadata, stop_metadata
from mcp_queue_plugin.commands.base import GRACE_SECONDS, JOB_ID, QueueCommand
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.errors import JobStateInvalid
from mcp_queue_plugin.model.states import RUNNING_STATES, State


class QueueStartJobCommand(QueueCommand):
    """Queue a job that was added without being started."""

    name = "queue_start_job"
    descr = "Start an added job"
    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID}
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Start the job and answer its record. One that already runs is refused, as the adapter does."""
        job_id = params["job_id"]
        answer = await manager.engine.start_job(job_id)
        if answer.job.state in RUNNING_STATES:
            raise JobStateInvalid(
                job_id, action="start", current_status=answer.job.status.value, allowed_statuses=["pending"]
            )
        return {**record(answer), "message": f"Job {job_id} started successfully"}


class QueueStopJobCommand(QueueCommand):
    """Stop a job: at once if it waits, with a grace time if it runs."""

    name = "queue_stop_job"
    descr = "Stop a job"
    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID, "grace_seconds": GRACE_SECONDS}
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Stop the job and answer its record: ``stopped``, or still ``stopping``."""
        job_id = params["job_id"]
        answer = await manager.engine.stop_job(
            job_id, reason=STOPPED_BY_REQUEST, grace_seconds=params.get("grace_seconds")
        )
        message = (
            f"Job {job_id} stopped successfully"
            if answer.job.state is State.STOPPED
            else f"Stop requested for job {job_id}, actual status is {answer.job.status.value}"
        )
        return {**record(answer), **stop_metadata(answer.job), "message": message}


class QueueDeleteJobCommand(QueueCommand):
    """Delete a job with its result and log; a running one is stopped first."""

    name = "queue_delete_job"
    descr = "Delete a job"
    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID, "grace_seconds": GRACE_SECONDS}
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Delete the job and answer its tombstone, or its record while it has not let go."""
        job_id = params["job_id"]
        answer = await manager.engine.delete_job(
            job_id, reason=DELETED_BY_REQUEST, grace_seconds=params.get("grace_seconds")
        )
        message = (
            f"Job {job_id} deleted successfully"
            if answer.job.state is State.DELETED
            else f"Delete requested for job {job_id}, actual status is {answer.job.status.value}"
        )
        return {**record(answer), **delete_metadata(answer.job), "message": message}
