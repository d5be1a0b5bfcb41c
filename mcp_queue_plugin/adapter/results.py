"""Our records in the shapes of the adapter's manager: ``QueueJobResult`` and ``QueueJobError``."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError, QueueJobResult, QueueJobStatus
from mcp_proxy_adapter.integrations.queuemgr_integration.job_types import (
    JOB_ERROR_ALREADY_EXISTS,
    JOB_ERROR_NOT_FOUND,
    JOB_ERROR_STATE_INVALID,
)

from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobAlreadyExists, JobError, JobNotFound, JobStateInvalid, QueueError
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import STREAMS, LogPage, Stream
from mcp_queue_plugin.model.states import State

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def job_result(answer: Answer, *, metadata: dict[str, Any] | None = None) -> QueueJobResult:
    """The record as the adapter's pollers read it: a deleted job shows as stopped, the only such end they know."""
    job = answer.job
    status = QueueJobStatus.STOPPED if job.state is State.DELETED else job.status.value
    told = QueueJobResult(
        job_id=job.job_id,
        status=status,
        error=error_text(job),
        progress=job.progress,
        description=description_text(job),
        step=job.step,
        metadata=metadata,
        created_at=iso8601(job.created_at),
        started_at=iso8601(job.started_at),
        completed_at=iso8601(job.completed_at),
    )
    if answer.result is not None:
        # Not through its constructor, which takes 0 and False for no result.
        told.result = json.loads(answer.result)
    return told


def description_text(job: Job) -> str:
    """What the job says it is doing, or what can be said of one that says nothing.

    The adapter tells its WebSocket clients of a running job only if there is something to tell.
    """
    if job.description or job.reason:
        return job.description or job.reason or ""
    return f"Executing command: {job.command}" if job.state is State.WORKING and job.command else ""


def place_fields(place: Place | None) -> dict[str, Any]:
    """Where a job stands in its queue; null for one that does not wait any more."""
    return {
        "queue_position": None if place is None else place.position,
        "estimated_wait_seconds": None if place is None else place.estimated_wait_seconds,
    }


def error_text(job: Job) -> str | None:
    """Why a job failed, as a message; its clients call ``str()`` on it."""
    return None if job.error is None else job.error.message


def stop_metadata(job: Job) -> dict[str, Any]:
    """What the adapter's clients read after a stop."""
    return {
        "stop_requested": True,
        "requested_status": QueueJobStatus.STOPPED,
        "actual_status": job.status.value,
        "stopped": job.state is State.STOPPED,
    }


def delete_metadata(job: Job) -> dict[str, Any]:
    """What the adapter's clients read after a deletion."""
    return {"deleted_confirmed": job.state is State.DELETED, "actual_status": job.status.value}


def split_streams(*pages: LogPage) -> dict[str, Any]:
    """Pages of a log, one behind the other, in the adapter's shape: each stream's lines, and how many it has in all."""
    parts: dict[Stream, list[list[str]]] = {stream: [] for stream in STREAMS}
    for page in pages:
        for entry in page.entries:
            lines = parts[entry.stream]
            if entry.continues and lines:
                lines[-1].append(entry.line)
            else:
                lines.append([entry.line])
    return {
        "stdout": ["".join(line) for line in parts["stdout"]],
        "stderr": ["".join(line) for line in parts["stderr"]],
        "stdout_lines": pages[-1].stdout_lines,
        "stderr_lines": pages[-1].stderr_lines,
    }


def raises_job_errors(
    method: Callable[Parameters, Coroutine[Any, Any, Returned]],
) -> Callable[Parameters, Coroutine[Any, Any, Returned]]:
    """Let a method of the manager raise ``QueueJobError``, which the adapter's code expects, for our errors."""

    @functools.wraps(method)
    async def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        try:
            return await method(*args, **kwargs)
        except QueueError as error:
            raise job_error(error) from error

    return wrapped


def job_error(error: QueueError) -> QueueJobError:
    """``error`` as the adapter's own type; its cause stays in ``original_error``."""
    job_id = error.job_id if isinstance(error, JobError) else ""
    details = dict(error.data)
    if isinstance(error, JobStateInvalid):
        details["actual_status"] = error.data["current_status"]
    return QueueJobError(job_id, error.message, error, details=details, kind=_KINDS.get(type(error)))


_KINDS: dict[type[QueueError], str] = {
    JobNotFound: JOB_ERROR_NOT_FOUND,
    JobAlreadyExists: JOB_ERROR_ALREADY_EXISTS,
    JobStateInvalid: JOB_ERROR_STATE_INVALID,
}
