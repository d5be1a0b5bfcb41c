"""What the class of a job, or the command that it runs, declares in ``queue_options``."""

from __future__ import annotations

from typing import Any

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.jobs import is_command_execution
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.options import QueueOptions

ATTRIBUTE = "queue_options"

NOTHING_SAID = QueueOptions()


def declared_options(job_class: type, params: dict[str, Any]) -> QueueOptions:
    """The options of a job's author.

    Raises:
        InvalidParameters: the attribute is something else.
    """
    declaring = server.command_class(params.get("command")) if is_command_execution(job_class) else job_class
    declared = getattr(declaring, ATTRIBUTE, NOTHING_SAID)
    if not isinstance(declared, QueueOptions):
        raise InvalidParameters(
            f"{ATTRIBUTE} of {declaring} is no QueueOptions: {declared!r}", field=ATTRIBUTE, violation="type"
        )
    return declared
