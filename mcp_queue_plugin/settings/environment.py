"""Settings from the environment: one variable for each.

pydantic-settings is no fit: it reads ``os.environ`` only, passes over variables it does not know, and does not tell
which variable a refused value came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp_queue_plugin.settings.problems import Problem, dotted, nearest
from mcp_queue_plugin.settings.schema import ANY_NAME, Node, SettingPath, all_settings, branches

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
    known = all_settings()
    values: dict[SettingPath, Any] = {}
    problems: list[Problem] = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        found = next((found for path in known if (found := _named(path, variable))), None)
        if found is None:
            problems.append(_unknown(variable))
        else:
            path, node = found[0], known[found[1]]
            values[path] = _parsed(environ[variable], node)
    return values, problems


def _named(path: SettingPath, variable: str) -> tuple[SettingPath, SettingPath] | None:
    """The path that ``variable`` names if it is one of ``path``, and ``path`` itself.

    The two differ in the name of the user's choosing, which the variable tells in capitals.
    """
    parts, expected = variable.split(_SEPARATOR), variable_name(path).split(_SEPARATOR)
    if ANY_NAME not in path:
        return (path, path) if parts == expected else None
    place = path.index(ANY_NAME)
    at = place - len(path) + len(expected)
    if len(parts) != len(expected) or parts[:at] != expected[:at] or parts[at + 1 :] != expected[at + 1 :]:
        return None
    return (*path[:place], parts[at].lower(), *path[place + 1 :]), path


def _unknown(variable: str) -> Problem:
    names = tuple(variable.removeprefix(PREFIX).lower().split(_SEPARATOR))
    path = names if names[0] == _OTHER_SECTION else (_HOME_SECTION, *names)
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
