"""The commands as tools: which a caller is offered, and what each says of itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from mcp_types import Tool, ToolAnnotations

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.adapter.bridge import tools
from mcp_queue_plugin.adapter.bridge.tools import CommandDescription, Schema
from mcp_queue_plugin.errors import AccessDenied
from mcp_queue_plugin.settings.mcp import ToolSettings

PAGE_TOOLS = 100
TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What the protocol lets a tool be called."""

STARTED: Schema = {
    "type": "object",
    "description": "To clients without tasks: the job that was started; queue_wait_job answers its result",
    "properties": {
        "job_id": {"type": "string"},
        "status": {"type": "string"},
        "poll_with": {"type": "string"},
        "poll_after_seconds": {"type": "number"},
    },
    "required": ["job_id", "status", "poll_with"],
}

logger = logging.getLogger(__name__)


class OfferedTool(NamedTuple):
    """A tool as it is listed, and the command behind it."""

    tool: Tool
    command: CommandDescription


class Catalog:
    """The tools that there are now: commands that are registered later join them."""

    def __init__(self, settings: ToolSettings) -> None:
        """Offer what ``settings`` allow and do not deny."""
        self._settings = settings
        self._version: int | None = None
        self._tools: dict[str, OfferedTool] = {}

    def page(self, after: str | None) -> tuple[Sequence[Tool], str | None]:
        """The caller's tools whose names come ``after`` one, by name, and the cursor of the rest."""
        offered = [each.tool for name, each in self._known().items() if (after is None or name > after) and _may(name)]
        page = offered[:PAGE_TOOLS]
        return page, page[-1].name if len(offered) > len(page) else None

    def find(self, name: str) -> OfferedTool | None:
        """The tool of this name; None if the caller has none."""
        return self._known().get(name) if _may(name) else None

    def input_schema(self, name: str) -> Schema | None:
        """The schema of a tool's parameters, whoever asks; None if there is no such tool."""
        found = self._known().get(name)
        return None if found is None else found.command.parameters

    def _known(self) -> Mapping[str, OfferedTool]:
        version = tools.commands_version()
        if version != self._version:
            self._tools = {each.name: _offered(each) for each in tools.describe_commands() if self._is_tool(each.name)}
            self._version = version
        return self._tools

    def _is_tool(self, name: str) -> bool:
        allowed = _matches(name, self._settings.allow) and not _matches(name, self._settings.deny)
        if allowed and not TOOL_NAME.fullmatch(name):
            logger.warning("The command %r is not offered as a tool: the protocol allows no such name", name)
            return False
        return allowed


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _may(name: str) -> bool:
    try:
        check_command(name, None)
    except AccessDenied:
        return False
    return True


def _offered(command: CommandDescription) -> OfferedTool:
    tool = Tool(
        name=command.name,
        description=command.description,
        input_schema={**command.parameters, "type": "object"},
        output_schema=_output_schema(command),
        annotations=ToolAnnotations.model_validate(command.annotations) if command.annotations else None,
    )
    return OfferedTool(tool, command)


def _output_schema(command: CommandDescription) -> Schema | None:
    """What structuredContent is: the data of the command's answer, if it says what is in them."""
    data: Any = command.result.get("properties", {}).get("data")
    if not isinstance(data, dict) or data.get("type") != "object" or "properties" not in data:
        return None
    shared: Schema = {key: command.result[key] for key in ("$schema", "$defs", "definitions") if key in command.result}
    if command.use_queue:
        return {**shared, "type": "object", "anyOf": [data, STARTED]}
    return {**shared, **data}
