"""The reference of all settings, written from the models."""

from __future__ import annotations

import json

from mcp_queue_plugin.settings.schema import SettingPath, all_settings, sections
from mcp_queue_plugin.words import Node, in_words

_COLUMNS = ("Key", "Type", "Default", "Unit", "Special value", "Meaning")


def settings_reference() -> str:
    """Markdown: a heading, a sentence and a table for each section. ``docs/reference/configuration.md`` contains it.

    ``<name>`` in a heading stands for a name of the user's choosing.
    """
    return "\n".join(_section(path, node) for path, node in sections().items())


def _section(path: SettingPath, node: Node) -> str:
    purpose = " ".join(node["description"].split())
    rows = [_row(key[-1], setting) for key, setting in all_settings().items() if key[:-1] == path]
    head = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    return "\n".join([f"## `{'.'.join(path)}`", "", purpose, "", *head, *rows, ""])


def _row(key: str, node: Node) -> str:
    default = f"`{json.dumps(node['default'])}`"
    cells = [f"`{key}`", in_words(node), default, node.get("x-unit", ""), node.get("x-special", "")]
    return _line([*cells, node["description"]])


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
