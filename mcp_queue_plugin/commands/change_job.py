"""``queue_start_job``, ``queue_retry_job``, ``queue_stop_job`` and ``queue_delete_job``."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import DELETED_BY_REQUEST, STOPPED_BY_REQUEST, QueueManagerIntegration
from mcp_queue_plugin.adapter.results import delete_metadata, stop_metadata
from mcp_queue_plugin.adapter.waits import wait_terms
from mcp_queue_plugin.commands.base import CHANGES, ENDS, GRACE_SECONDS, JOB_ID, QueueCommand
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobStateInvalid
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import RUNNING_STATES, State


class QueueStartJobCommand(QueueCommand):
    """Queue a job that was added without being started."""

    name = "queue_start_job"
    mcp_annotations: ClassVar[dict[str, Any]] = {**CHANGES, "idempotentHint": True}
    descr = "Start an added job"
    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID}
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Start the job and answer its record. One that already runs is refused, as the adapter does."""
        job_id = params["job_id"]
        answer = await manager.engine.start_job(job_id, with_place=True)
        if answer.job.state in RUNNING_STATES:
            raise JobStateInvalid(
                job_id, action="start", current_status=answer.job.status.value, allowed_statuses=["pending"]
            )
        return {**record(answer), "message": f"Job {job_id} started successfully"}


class QueueRetryJobCommand(QueueCommand):
    """Queue a job again that has failed or was stopped."""

    name = "queue_retry_job"
    descr = "Run a job again that has failed or was stopped, with all its retries before it again; its log goes on"
    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID}
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Queue the job and answer its record."""
        job_id = params["job_id"]
        answer = await manager.engine.retry_job(job_id, with_place=True)
        return {**record(answer), "message": f"Job {job_id} is queued again"}


class LetGoCommand(QueueCommand):
    """What stopping and deleting share: the job gets a grace time, and the answer says whether it has let go."""

    properties: ClassVar[dict[str, Any]] = {"job_id": JOB_ID, "grace_seconds": GRACE_SECONDS}
    required = ("job_id",)
    mcp_annotations = ENDS
    wanted: ClassVar[State]
    asked_for: ClassVar[str]

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the record: as ``wanted``, or still ``stopping``."""
        job_id = params["job_id"]
        with manager.waits.one():
            answer = await self.ask(manager.engine, job_id, params.get("grace_seconds"))
        message = (
            f"Job {job_id} {self.wanted.value} successfully"
            if answer.job.state is self.wanted
            else f"{self.asked_for} requested for job {job_id}, actual status is {answer.job.status.value}"
        )
        return {**record(answer), **self.facts(answer.job), "message": message}

    @abstractmethod
    async def ask(self, engine: EngineClient, job_id: str, grace_seconds: float | None) -> Answer:
        """Ask the engine for it."""

    @staticmethod
    @abstractmethod
    def facts(job: Job) -> dict[str, Any]:
        """What the adapter's clients read besides the record."""


class QueueStopJobCommand(LetGoCommand):
    """Stop a job: at once if it waits, with a grace time if it runs."""

    name = "queue_stop_job"
    descr = "Stop a job"
    wanted = State.STOPPED
    asked_for = "Stop"
    facts = staticmethod(stop_metadata)

    async def ask(self, engine: EngineClient, job_id: str, grace_seconds: float | None) -> Answer:
        """Stop it."""
        return await engine.stop_job(
            job_id, reason=STOPPED_BY_REQUEST, grace_seconds=grace_seconds, wait_seconds=wait_terms().longest_seconds
        )


class QueueDeleteJobCommand(LetGoCommand):
    """Delete a job with its result and log; a running one is stopped first."""

    name = "queue_delete_job"
    descr = "Delete a job"
    wanted = State.DELETED
    asked_for = "Delete"
    facts = staticmethod(delete_metadata)

    async def ask(self, engine: EngineClient, job_id: str, grace_seconds: float | None) -> Answer:
        """Delete it."""
        return await engine.delete_job(
            job_id, reason=DELETED_BY_REQUEST, grace_seconds=grace_seconds, wait_seconds=wait_terms().longest_seconds
        )
