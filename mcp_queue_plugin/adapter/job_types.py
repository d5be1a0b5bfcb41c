"""The registry of job types: what a client may ask to run by name. The application fills it; no client can."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_queue_plugin.adapter.jobs import (
    COMMAND_EXECUTION,
    CommandExecutionJob,
    JobClass,
    executing_class,
    is_command_execution,
)
from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.adapter.tasks import Task
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, Idempotency, Submission, is_job_id
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.text import storable

SERVER_PARAMS = ("auto_import_modules", "hook_modules", "config_path", "context", "log_level")
"""The keys of a command job's parameters that the server adds: what its worker imports, and in whose name it runs."""


def refuse_reserved(params: Mapping[str, Any], reserved: Sequence[str], what: str) -> None:
    """Check that ``params`` hold none of the ``reserved`` names; ``what`` says before it what a name is of.

    Raises:
        InvalidParameters: they hold one; it is named.
    """
    taken = sorted(set(reserved) & set(params))
    if taken:
        raise InvalidParameters(
            f"{what}{taken[0]} is reserved: the server alone decides it",
            field=taken[0],
            violation="reserved",
            reserved=list(reserved),
        )


JobTarget = type | Task[..., Any]
"""What a job runs: a job class or a task."""

_types: dict[str, JobTarget] = {COMMAND_EXECUTION: CommandExecutionJob}


def register_job_type(name: str, job_class: JobClass | Task[..., Any]) -> None:
    """Let clients of ``queue_add_job`` run ``job_class``, or a task, as ``name``.

    The parameters of a task are the keyword arguments of its function. Registering the same pair again does nothing.

    Raises:
        InvalidParameters: another class or task has that name.
    """
    taken = _types.get(name)
    if taken is not None and taken is not job_class and target_of(taken) != target_of(job_class):
        raise InvalidParameters(
            f"the job type {name!r} is already registered for {target_of(taken)}", field="name", value=name
        )
    _types[name] = job_class


def job_type_names() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(sorted(_types))


def job_class_of(name: str) -> JobTarget:
    """The class or task registered as ``name``.

    Raises:
        InvalidParameters: there is none; the message lists the names there are.
    """
    try:
        return _types[name]
    except KeyError:
        raise InvalidParameters(
            f"unknown job type {name!r}; registered are: {', '.join(job_type_names())}",
            field="job_type",
            violation="value",
            expected=list(job_type_names()),
            got=storable(name, JOB_ID_MAX_LENGTH),
        ) from None


def target_of(job_class: JobTarget) -> str:
    """How a worker finds the class or the task: ``module:qualname``."""
    return f"{job_class.__module__}:{job_class.__qualname__}"


def unresolvable_job_types() -> tuple[str, ...]:
    """The registered names of what no worker can import: it is defined in ``__main__`` or inside a function."""
    return tuple(
        name
        for name, job_class in sorted(_types.items())
        if job_class.__module__ == "__main__" or "<locals>" in job_class.__qualname__
    )


def new_job_id() -> str:
    """An id that nobody can guess: a UUID of version 7 (RFC 9562), 48 bits of time and 74 of chance.

    By the time ids of one hour lie together in an index, however many jobs there are: a commit then writes one page of
    it, and not one for each job.
    """
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | chance >> 68
    low = 0x8000_0000_0000_0000 | chance & 0x3FFF_FFFF_FFFF_FFFF
    digits = f"{high << 64 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def submission_of(
    job_class: JobTarget,
    job_id: str,
    params: dict[str, Any],
    options: JobOptions,
    *,
    owner: str | None = None,
    idempotency_key: str | None = None,
) -> tuple[Submission, bytes]:
    """A job as the engine takes it, with its parameters as a JSON document.

    Raises:
        InvalidParameters: the id or the parameters are not usable; nothing was stored.
    """
    _check_job_id(job_id)
    if not isinstance(params, dict):
        raise InvalidParameters(
            f"the parameters of a job are a dict, not {type(params).__name__}", field="params", value=repr(params)[:200]
        )
    executed = job_class if isinstance(job_class, Task) else executing_class(job_class)
    if isinstance(executed, Task):
        params = executed.arguments((), params)
    submission = Submission(
        job_id=job_id,
        job_type=_job_type_of(executed),
        target=target_of(executed),
        command=_command_of(params) if is_command_execution(executed) else None,
        owner=owner,
        options=options,
        idempotency=None if idempotency_key is None else _idempotency(idempotency_key, executed, params),
    )
    return submission, encode_document(params, "params")


def _job_type_of(executed: JobTarget) -> str:
    registered = next((name for name, known in _types.items() if known is executed), None)
    return registered or (executed.name if isinstance(executed, Task) else executed.__name__)


def _idempotency(key: str, executed: JobTarget, params: dict[str, Any]) -> Idempotency:
    """What is to be done, as a digest; what the server adds to a command's parameters is no part of it."""
    added = SERVER_PARAMS if is_command_execution(executed) else ()
    said = {name: value for name, value in params.items() if name not in added}
    document = encode_document(said, "params", sort_keys=True)
    return Idempotency(key=key, fingerprint=hashlib.sha256(document).hexdigest())


def _command_of(params: dict[str, Any]) -> str:
    command = params.get("command")
    if not isinstance(command, str) or not command:
        raise InvalidParameters("a command job needs params.command", field="command", violation="missing")
    return command


def _check_job_id(job_id: object) -> None:
    if not is_job_id(job_id):
        raise InvalidParameters(
            f"a job id is a Unicode text of 1 to {JOB_ID_MAX_LENGTH} characters without NUL",
            field="job_id",
            violation="value",
            got=ascii(job_id)[:JOB_ID_MAX_LENGTH],
        )
