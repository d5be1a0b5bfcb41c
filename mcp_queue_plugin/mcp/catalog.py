"""The commands as tools: which a caller is offered, and what each says of itself."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from mcp_types import ListToolsResult, Tool, ToolAnnotations
from mcp_types.methods import validate_server_result
from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.adapter.bridge import tools
from mcp_queue_plugin.adapter.bridge.tools import CommandDescription, Schema
from mcp_queue_plugin.adapter.job_types import job_type_names
from mcp_queue_plugin.errors import AccessDenied
from mcp_queue_plugin.mcp.tool_schemas import output_schema
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.settings.mcp import ToolSettings

PAGE_TOOLS = 100
TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What the protocol lets a tool be called."""

WORDS_MAX_LENGTH = 500

logger = logging.getLogger(__name__)


class OfferedTool(NamedTuple):
    """A tool as it is listed, and the command behind it."""

    tool: Tool
    command: CommandDescription
    trouble: str | None = None
    """What is wrong with the command, so that it is listed with less than it says."""


class Catalog:
    """The tools that there are now: commands that are registered later join them."""

    def __init__(self, settings: ToolSettings) -> None:
        """Offer what ``settings`` allow and do not deny."""
        self._settings = settings
        self._version: object = None
        self._told: set[tuple[str, str]] = set()
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
        # queue_add_job says in its schema which job types there are.
        version = (tools.commands_version(), job_type_names())
        if version != self._version:
            offered = [_offered(each) for each in tools.describe_commands() if self._is_tool(each.name)]
            self._tools = {each.tool.name: each for each in offered}
            self._version = version
            for each in offered:
                if each.trouble:
                    self._warn(each.tool.name, each.trouble)
        return self._tools

    def _is_tool(self, name: str) -> bool:
        allowed = _matches(name, self._settings.allow) and not _matches(name, self._settings.deny)
        if allowed and not TOOL_NAME.fullmatch(name):
            self._warn(name, "is not offered as a tool: the protocol allows no such name")
            return False
        return allowed

    def _warn(self, name: str, trouble: str) -> None:
        """Log it, once."""
        if (name, trouble) not in self._told:
            self._told.add((name, trouble))
            logger.warning("The command %r %s", name, trouble)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _may(name: str) -> bool:
    try:
        check_command(name, None)
    except AccessDenied:
        return False
    return True


def _offered(command: CommandDescription) -> OfferedTool:
    """The command as a tool; what cannot be told of it is left out, so that the others can be listed beside it."""
    trouble = None
    try:
        output = output_schema(command)
    except Exception as error:  # noqa: BLE001 - the schema is the application's, and may be made of anything
        output, trouble = None, f"is listed without an output schema: {_words(error)}"
    try:
        _check_attributes(command)
        return OfferedTool(_proven(_tool(command, output)), command, trouble)
    except Exception as error:  # noqa: BLE001 - so are its other attributes
        bare = command._replace(parameters={"type": "object"}, result={}, annotations={}, requires={}, asks_for={})
        return OfferedTool(_tool(bare, None), bare, f"is listed by its name and description alone: {_words(error)}")


def _tool(command: CommandDescription, output: Schema | None) -> Tool:
    return Tool(
        name=command.name,
        description=command.description,
        input_schema={**command.parameters, "type": "object"},
        output_schema=output,
        annotations=ToolAnnotations.model_validate(command.annotations) if command.annotations else None,
    )


def _check_attributes(command: CommandDescription) -> None:
    """Check that what is not listed, but used in calls, is of the types that it should be.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(command.parameters.get("properties", {}), Mapping):
        raise TypeError("the properties of its schema are no object")
    if not isinstance(command.requires, Mapping):
        raise TypeError("mcp_requires is no object of capabilities")
    json.dumps(dict(command.requires))
    asked = list(command.asks_for.values()) if isinstance(command.asks_for, Mapping) else [None]
    if not all(isinstance(names, list | tuple) and all(isinstance(name, str) for name in names) for names in asked):
        raise TypeError("mcp_ask_for does not name parameters by the keys of questions")


def _proven(tool: Tool) -> Tool:
    """The tool, if it can be listed in every revision of the protocol; otherwise it raises whatever it is."""
    listed = json.loads(ListToolsResult(tools=[tool]).model_dump_json(by_alias=True, exclude_none=True))
    for version in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION):
        validate_server_result("tools/list", version, listed)
    return tool


def _words(error: Exception) -> str:
    return storable(" ".join(f"{type(error).__name__}: {error}".split()), WORDS_MAX_LENGTH)
