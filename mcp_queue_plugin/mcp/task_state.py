"""A job as a task of the protocol: pure functions from a record to what is on the wire.

The shapes are those of the extension ``io.modelcontextprotocol/tasks`` (SEP-2663).
"""

from __future__ import annotations

import json
from typing import Any

from mcp_types import INTERNAL_ERROR

from mcp_queue_plugin.adapter.results import description_text
from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.mcp import answers
from mcp_queue_plugin.mcp.questions import input_requests
from mcp_queue_plugin.model.estimate import remaining_seconds
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.pace import poll_after_seconds
from mcp_queue_plugin.model.states import ENDED_STATES, PENDING_STATES, State

EXTENSION = "io.modelcontextprotocol/tasks"

POLL_INTERVAL = "pollIntervalMs"
POLL_MIN_MILLISECONDS = 100

NO_ANSWER_OF_A_TOOL = frozenset({"WorkerCrashed", "WorkerStartFailed", "TargetNotFound", "CommandUnknown"})
"""The errors of jobs whose code did not come to an end of its own: to the protocol they are no answer of a tool."""


class TaskTerms:
    """What a server says of all its tasks."""

    def __init__(self, retention_seconds: float, max_output_bytes: int) -> None:
        """Finished jobs are kept for ``retention_seconds``, 0 for ever; texts are cut to ``max_output_bytes``."""
        self.retention_seconds = retention_seconds
        self.max_output_bytes = max_output_bytes

    def created(self, answer: Answer, now: float) -> dict[str, Any]:
        """The answer to the call that has created a task."""
        return {"resultType": "task", **self._fields(answer, now)}

    def detailed(self, answer: Answer, now: float) -> dict[str, Any]:
        """A task with what has become of it, as ``tasks/get`` and ``notifications/tasks`` tell it."""
        return {**self._fields(answer, now), **self._outcome(answer)}

    def _fields(self, answer: Answer, now: float) -> dict[str, Any]:
        job = answer.job
        fields = {
            "taskId": job.job_id,
            "status": task_status(job),
            "statusMessage": status_message(answer, now),
            "createdAt": iso8601(job.created_at),
            "lastUpdatedAt": iso8601(job.changed_at),
            "ttlMs": self._ttl_milliseconds(job),
            POLL_INTERVAL: max(POLL_MIN_MILLISECONDS, round(1000 * poll_after_seconds(job, now))),
        }
        return {key: value for key, value in fields.items() if key == "ttlMs" or value}

    def _ttl_milliseconds(self, job: Job) -> int | None:
        """From its creation on, how long a task is kept; null as long as nobody can know: it has not ended."""
        if job.completed_at is None or not self.retention_seconds:
            return None
        return max(1, round(1000 * (job.completed_at - job.created_at + self.retention_seconds)))

    def _outcome(self, answer: Answer) -> dict[str, Any]:
        status = task_status(answer.job)
        if status == "completed":
            return {"result": self.result(answer).model_dump(by_alias=True, mode="json", exclude_none=True)}
        if status == "failed":
            error = answer.job.error
            return {"error": {"code": INTERNAL_ERROR, "message": error.message if error else "the job failed"}}
        if status == "input_required":
            return {"inputRequests": input_requests(answer.job)}
        return {}

    def result(self, answer: Answer) -> Any:
        """What the call would have answered that has created the task."""
        job = answer.job
        if job.state is State.FAILED:
            error = job.error
            facts = {} if error is None else {"message": error.message, "type": error.type, "code": error.code}
            return answers.of_error(facts, self.max_output_bytes)
        document = None if answer.result is None else json.loads(answer.result)
        if job.command is None:
            return answers.of_data(
                document if isinstance(document, dict) else {"result": document}, self.max_output_bytes
            )
        if isinstance(document, dict) and "result" in document:
            # A command's own answer, out of what the adapter wraps around it.
            document = document["result"]
        return answers.of_envelope(document, self.max_output_bytes)


def task_status(job: Job) -> str:
    """The status of a job as a task has it."""
    match job.state:
        case State.INPUT_REQUIRED:
            return "input_required"
        case State.COMPLETED:
            return "completed"
        case State.FAILED:
            return "failed" if job.error is None or job.error.type in NO_ANSWER_OF_A_TOOL else "completed"
        case State.STOPPED | State.DELETED:
            return "cancelled"
        case _:
            return "working"


def status_message(answer: Answer, now: float) -> str:
    """In a few words where a job stands: how far it is, what it does, and how long it may yet wait or take."""
    job = answer.job
    if job.state in (State.STOPPED, State.DELETED):
        return job.reason or ""
    said = [description_text(job)]
    if job.state in PENDING_STATES:
        said.append(_waiting(answer))
    elif job.state not in ENDED_STATES:
        said.insert(0, _how_far(job, now))
    return ": ".join(text for text in said if text)


def _how_far(job: Job, now: float) -> str:
    left = None if job.started_at is None else remaining_seconds(job.progress, now - job.started_at)
    return f"{job.progress} %" if left is None else f"{job.progress} %, about {max(1, round(left))} s left"


def _waiting(answer: Answer) -> str:
    if answer.job.state is State.SCHEDULED:
        return f"waits until {iso8601(answer.job.not_before)}"
    if answer.place is None:
        return "waits for a worker"
    place = answer.place
    if place.is_paused:
        return f"waits at position {place.position} of its queue, which is paused"
    return f"waits at position {place.position} of its queue, about {place.estimated_wait_seconds:g} s"
