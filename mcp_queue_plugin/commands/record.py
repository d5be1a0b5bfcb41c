"""A job's record as JSON-RPC clients read it."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from mcp_queue_plugin.adapter.results import description_text, error_text, place_fields
from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import Job, Question
from mcp_queue_plugin.model.pace import poll_after_seconds
from mcp_queue_plugin.model.queries import LogEntry
from mcp_queue_plugin.model.states import Status


def row(job: Job, place: Place | None = None) -> dict[str, Any]:
    """The record without its result, as lists show it; ``place`` is where it stands if it is pending."""
    return {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "command": job.command,
        "queue": job.options.queue,
        "status": job.status.value,
        "phase": job.state.phase,
        "version": job.version,
        "progress": job.progress,
        "description": description_text(job),
        "step": job.step,
        "reason": job.reason,
        "error": error_text(job),
        "error_info": None if job.error is None else msgspec.to_builtins(job.error),
        "questions": [_question(question) for question in job.questions],
        "attempt": job.attempt,
        "max_retries": job.options.max_retries,
        "retries": job.retries,
        "priority": job.options.priority,
        "owner": job.owner,
        "created_at": iso8601(job.created_at),
        "due_at": iso8601(job.not_before),
        "started_at": iso8601(job.started_at),
        "completed_at": iso8601(job.completed_at),
        **place_fields(place),
        "poll_after_seconds": poll_after_seconds(job, time.time()),
        "has_result": job.has_result,
        "has_error": job.error is not None,
        **_success(job),
    }


def record(answer: Answer) -> dict[str, Any]:
    """The record with its result; an empty object as long as there is none."""
    return {**row(answer.job, answer.place), "result": {} if answer.result is None else json.loads(answer.result)}


def _question(question: Question) -> dict[str, Any]:
    schema = None if question.schema is None else json.loads(question.schema)
    return {"key": question.key, "prompt": question.prompt, "schema": schema}


def log_entry(entry: LogEntry) -> dict[str, Any]:
    """One line of a job's log."""
    whole = {"stream": entry.stream, "written_at": iso8601(entry.written_at), "line": entry.line}
    return {**whole, "continues": True} if entry.continues else whole


def _success(job: Job) -> dict[str, Any]:
    """The fields by which the adapter's clients tell success from failure, told from the record alone."""
    completed = job.status is Status.COMPLETED
    is_command = job.command is not None
    command_success = completed and not job.completed_with_error if job.status in _ENDED else None
    return {
        "job_success": completed,
        "command_execution": is_command and job.has_result,
        "command_name": job.command,
        "command_success": command_success if is_command else None,
        "inner_success": command_success if is_command else None,
        "completed_with_error": completed and job.completed_with_error,
        "native_completed_with_error": False,
    }


_ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED, Status.DELETED})
