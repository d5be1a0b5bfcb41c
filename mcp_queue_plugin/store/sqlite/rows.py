"""Between records and rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.options import JobOptions
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
        attempt=row[10],
        crashes=row[11],
        progress=row[12],
        description=row[13],
        step=row[14],
        created_at=row[15],
        started_at=row[16],
        completed_at=row[17],
        not_before=row[18],
        reason=row[19],
        delete_requested=bool(row[20]),
        error=None if row[21] is None else msgspec.json.decode(row[21], type=ErrorInfo),
        completed_with_error=bool(row[22]),
        has_result=bool(row[23]),
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
        job.attempt,
        job.crashes,
        job.progress,
        job.description,
        job.step,
        job.created_at,
        job.started_at,
        job.completed_at,
        job.not_before,
        job.reason,
        job.delete_requested,
        _encode_error(job.error),
        job.completed_with_error,
        job.has_result,
        job.options.queue,
        job.options.priority,
    )


def encode_changes(job: Job) -> Values:
    """The values of query ``update_job``."""
    return (
        job.state.value,
        job.version,
        job.order,
        job.attempt,
        job.crashes,
        job.progress,
        job.description,
        job.step,
        job.started_at,
        job.completed_at,
        job.not_before,
        job.reason,
        job.delete_requested,
        _encode_error(job.error),
        job.completed_with_error,
        job.has_result,
        job.uid,
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
