"""Between records and rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from mcp_queue_plugin.model.job import ErrorInfo, Idempotency, Job, Question, Submission
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queues import QueueState
from mcp_queue_plugin.model.states import State

COLUMNS = ", ".join(f'"{field}"' for field in Job.__struct_fields__)
"""The columns of a record: its fields, by name and in their order."""

Values = tuple[str | bytes | int | float | None, ...]

_STATES = {state.value: state for state in State}


def decode_job(row: Sequence[Any]) -> Job:
    """The record in a row of ``COLUMNS``; columns beyond them are left alone."""
    return Job(
        uid=row[0],
        job_id=row[1],
        job_type=row[2],
        target=row[3],
        command=row[4],
        owner=row[5],
        options=_decode_options(row[6]),
        state=_STATES[row[7]],
        version=row[8],
        order=row[9],
        rank=row[10],
        attempt=row[11],
        crashes=row[12],
        retries=row[13],
        progress=row[14],
        description=row[15],
        step=row[16],
        created_at=row[17],
        queued_at=row[18],
        started_at=row[19],
        completed_at=row[20],
        deleted_at=row[21],
        not_before=row[22],
        reason=row[23],
        delete_requested=bool(row[24]),
        error=None if row[25] is None else msgspec.json.decode(row[25], type=ErrorInfo),
        completed_with_error=bool(row[26]),
        has_result=bool(row[27]),
        questions=() if row[28] is None else msgspec.json.decode(row[28], type=tuple[Question, ...]),
        has_answers=bool(row[29]),
        changed_at=row[30],
    )


def encode_job(job: Job) -> Values:
    """The values of query ``insert_job``."""
    return (
        job.uid,
        job.job_id,
        job.job_type,
        job.target,
        job.command,
        job.owner,
        _encode_options(job.options),
        job.state.value,
        job.version,
        job.order,
        job.rank,
        job.attempt,
        job.crashes,
        job.retries,
        job.progress,
        job.description,
        job.step,
        job.created_at,
        job.queued_at,
        job.started_at,
        job.completed_at,
        job.deleted_at,
        job.not_before,
        job.reason,
        job.delete_requested,
        _encode_error(job.error),
        job.completed_with_error,
        job.has_result,
        _encode_questions(job.questions),
        job.has_answers,
        job.changed_at,
        job.options.queue,
    )


def encode_changes(job: Job) -> Values:
    """The values of query ``update_job``."""
    return (
        job.state.value,
        job.version,
        job.order,
        job.rank,
        job.attempt,
        job.crashes,
        job.retries,
        job.progress,
        job.description,
        job.step,
        job.queued_at,
        job.started_at,
        job.completed_at,
        job.deleted_at,
        job.not_before,
        job.reason,
        job.delete_requested,
        _encode_error(job.error),
        job.completed_with_error,
        job.has_result,
        _encode_questions(job.questions),
        job.has_answers,
        job.changed_at,
        job.uid,
    )


def encode_idempotency(uid: int, submission: Submission, idempotency: Idempotency) -> Values:
    """The values of query ``insert_idempotency_key``."""
    return uid, idempotency.key, submission.subject, submission.owner, idempotency.fingerprint


def encode_queue(state: QueueState) -> Values:
    """The values of query ``put_queue``."""
    return msgspec.structs.astuple(state)


def decode_queue(row: Sequence[Any]) -> QueueState:
    """The state in a row of query ``queues``."""
    name, paused, consecutive_failures, ended_at, average_seconds, processed_total, failed_total = row
    return QueueState(
        name=name,
        paused=bool(paused),
        consecutive_failures=consecutive_failures,
        ended_at=ended_at,
        average_seconds=average_seconds,
        processed_total=processed_total,
        failed_total=failed_total,
    )


# Nearly all jobs of a server share a few sets of options.
@lru_cache(maxsize=1024)
def _decode_options(text: str) -> JobOptions:
    return msgspec.json.decode(text, type=JobOptions)


@lru_cache(maxsize=1024)
def _encode_options(options: JobOptions) -> str:
    return msgspec.json.encode(options).decode()


def _encode_error(error: ErrorInfo | None) -> str | None:
    return None if error is None else msgspec.json.encode(error).decode()


def _encode_questions(questions: tuple[Question, ...]) -> str | None:
    return msgspec.json.encode(questions).decode() if questions else None
