"""Settings from the environment: one variable for each.

pydantic-settings is no fit: it reads ``os.environ`` only, passes over variables it does not know, and does not tell
which variable a refused value came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_queue_plugin.settings.problems import Problem, dotted, nearest
from mcp_queue_plugin.settings.schema import SettingPath, all_settings, setting_at
from mcp_queue_plugin.words import Node, branches

PREFIX = "MCP_QUEUE__"

_SEPARATOR = "__"
_HOME_SECTION = "queue_plugin"
_OTHER_SECTION = "queue_manager"


def variable_name(path: SettingPath) -> str:
    """The variable of a setting; names begin inside ``queue_plugin`` unless they name ``queue_manager``."""
    inner = path[1:] if path[0] == _HOME_SECTION else path
    return PREFIX + _SEPARATOR.join(inner).upper()


def read_environment(environ: Mapping[str, str]) -> tuple[dict[SettingPath, Any], list[Problem]]:
    """The settings that ``environ`` holds, and a problem for each variable with our prefix that is none of ours."""
    values: dict[SettingPath, Any] = {}
    problems: list[Problem] = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        path = _path_of(variable)
        node = setting_at(path)
        if node is None or variable_name(path) != variable:
            problems.append(_unknown(variable, path))
        else:
            values[path] = _parsed(environ[variable], node)
    return values, problems


def _path_of(variable: str) -> SettingPath:
    """Where the setting of this variable stands, if there is one."""
    keys = tuple(variable.removeprefix(PREFIX).lower().split(_SEPARATOR))
    return keys if keys[0] == _OTHER_SECTION else (_HOME_SECTION, *keys)


def _unknown(variable: str, path: SettingPath) -> Problem:
    meant = nearest(path, all_settings())
    return Problem(
        source=variable,
        path=dotted(path),
        value=None,
        message="unknown variable",
        suggestion=variable_name(meant) if meant else None,
    )


def _parsed(text: str, node: Node) -> Any:
    """The value that ``text`` stands for; text that is no JSON is left as it is, for the check to refuse."""
    types = {branch.get("type") for branch in branches(node)}
    if "string" in types and not (text == "null" and "null" in types):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
