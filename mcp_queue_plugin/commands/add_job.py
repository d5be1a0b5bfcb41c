"""``queue_add_job``: hand in a job by the name of its type."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_proxy_adapter.core.errors import ValidationError

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.enqueue import POLL_WITH, STORE
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import SERVER_PARAMS, job_class_of, job_type_names, refuse_reserved
from mcp_queue_plugin.adapter.jobs import is_command_execution
from mcp_queue_plugin.commands.base import JOB_ID, QueueCommand
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.option_values import NAME_MAX_LENGTH
from mcp_queue_plugin.model.options import QueueOptions, option_schema
from mcp_queue_plugin.model.text import storable


def _option(name: str, description: str) -> dict[str, Any]:
    return {**option_schema(name), "description": description}


OPTIONS: dict[str, Any] = {
    "queue": _option("queue", "The named queue; default: the job type's own"),
    "priority": _option("priority", "Higher goes first within the queue"),
    "delay_seconds": _option("delay_seconds", "Not before so many seconds after the start"),
    "run_at": {"type": "string", "description": "Not before this time, ISO 8601 with an offset"},
    "timeout_seconds": _option("timeout_seconds", "How long one attempt may run before it fails with JobTimeout"),
    "max_retries": _option("max_retries", "How often it runs again when it fails"),
    "idempotency_key": {
        "type": "string",
        "description": "The same key for the same command gives the same job, as long as that is kept",
        "minLength": 1,
        "maxLength": NAME_MAX_LENGTH,
    },
}
"""What a client may say of how its job is run, as in ``QueueOptions``."""


class QueueAddJobCommand(QueueCommand):
    """Add a job to the queue; with ``start`` it is queued in the same step."""

    name = "queue_add_job"
    descr = "Add a background job of a registered type"
    properties: ClassVar[dict[str, Any]] = {
        "job_type": {"type": "string", "description": "A registered job type, such as command_execution"},
        "job_id": JOB_ID,
        "params": {"type": "object", "description": "The job's parameters; for command_execution {command, params}"},
        "command": {"type": "string", "description": "For command_execution, if params does not name the command"},
        "start": {"type": "boolean", "description": "Queue the job at once instead of waiting for queue_start_job"},
        **OPTIONS,
    }
    required = ("job_type", "job_id", "params")

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the parameters, with the job types that are registered now."""
        schema = super().get_schema()
        job_type = {**schema["properties"]["job_type"], "enum": list(job_type_names())}
        return {**schema, "properties": {**schema["properties"], "job_type": job_type}}

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Store the job and answer its record."""
        job_type, job_id, job_params = params["job_type"], params["job_id"], params["params"]
        job_class = job_class_of(job_type)
        if is_command_execution(job_class):
            job_params = {"command": params.get("command"), **job_params}
            _check_command(job_params)
        options = QueueOptions(**{name: params[name] for name in OPTIONS if name in params})
        submission, document = manager.submission(job_class, job_id, job_params, options)
        answer = await manager.engine.submit(submission, document, start=params.get("start", False), with_place=True)
        return {
            **record(answer),
            "message": f"Job {answer.job.job_id} added successfully",
            "store": STORE,
            "poll_with": POLL_WITH,
        }


def _check_command(job_params: dict[str, Any]) -> None:
    refuse_reserved(job_params, SERVER_PARAMS, "params.")
    command = job_params.get("command")
    if not isinstance(command, str) or not command:
        raise InvalidParameters("params.command must name a command", field="command", violation="missing")
    command_params = job_params.get("params", {})
    check_command(command, command_params)
    if not isinstance(command_params, dict):
        raise InvalidParameters("params.params must be an object", field="params.params", violation="type")
    try:
        server.validate_command(command, command_params)
    except KeyError:
        raise InvalidParameters(
            f"unknown command {command!r}", field="command", violation="value", got=storable(command, NAME_MAX_LENGTH)
        ) from None
    except ValidationError as error:
        raise InvalidParameters(error.message, **(error.data or {})) from error
