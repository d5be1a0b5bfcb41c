"""What the class of a job, and the command that it runs, declare in ``queue_options``."""

from __future__ import annotations

from typing import Any

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.job_types import JobTarget
from mcp_queue_plugin.adapter.jobs import is_command_execution
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.options import QueueOptions
from mcp_queue_plugin.words import shown

ATTRIBUTE = "queue_options"


def declared_options(job_class: JobTarget, params: dict[str, Any]) -> tuple[QueueOptions, ...]:
    """The options of a job's authors; what a command declares goes before what the class declares that runs it.

    Raises:
        InvalidParameters: the attribute is something else.
    """
    command = server.command_class(params.get("command")) if is_command_execution(job_class) else None
    return tuple(_checked(author) for author in (command, job_class) if hasattr(author, ATTRIBUTE))


def _checked(author: object) -> QueueOptions:
    declared = getattr(author, ATTRIBUTE)
    if not isinstance(declared, QueueOptions):
        raise InvalidParameters(
            f"{ATTRIBUTE} of {author} must be a QueueOptions, not {shown(declared)}",
            field=ATTRIBUTE,
            violation="type",
            got=shown(declared),
        )
    return declared
