"""The settings as JSON Schema, and what is read from it: which settings there are, and what each allows.

Messages, environment variables and the reference all come from this one description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from mcp_queue_plugin.settings.models import Settings
from mcp_queue_plugin.words import Node, branches, values_of

SettingPath = tuple[str, ...]
"""Where a setting stands, from its section on: ``("queue_plugin", "workers", "min")``."""

ANY_NAME = "<name>"
"""Stands in a path for a name of the user's choosing: ``("queue_plugin", "queues", "<name>", "max_queue_size")``."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of both sections, for editors and ``mcp-queue config schema``.

    Beside the standard words, a setting may carry ``x-unit`` (what its number counts) and ``x-special`` (values with a
    meaning of their own), and a string ``x-words`` (what its pattern means). Other top-level sections are allowed: they
    are the adapter's and the application's.
    """
    return deepcopy(_schema())


def sections() -> dict[SettingPath, Node]:
    """Every group of settings by its path, outer ones first."""
    return {path: node for path, node in _walk((), _tree()) if "properties" in node}


def all_settings() -> dict[SettingPath, Node]:
    """Every single setting by its path, in the order of the models."""
    return {path: node for path, node in _walk((), _tree()) if "properties" not in node}


def setting_at(path: SettingPath) -> Node | None:
    """The schema of the single setting at ``path``, which may lead through a name of the user's choosing."""
    return next((node for known, node in all_settings().items() if named_as(path, known) == path), None)


def schema_at(path: SettingPath) -> Node | None:
    """The schema of what stands at ``path``, also inside a setting's list or object; None for an unknown key."""
    node: Node | None = _tree()
    for key in path:
        node = _child(node, key) if node is not None else None
    return node


def named_as(path: SettingPath, known: SettingPath) -> SettingPath:
    """``known`` with the names of the user's choosing that ``path`` has in the same places."""
    filled: SettingPath = ()
    for key in known:
        chosen = key == ANY_NAME and path[: len(filled)] == filled and len(path) > len(filled)
        filled = (*filled, path[len(filled)] if chosen else key)
    return filled


@cache
def _schema() -> dict[str, Any]:
    return {"$schema": _DIALECT, **Settings.model_json_schema()}


@cache
def _tree() -> Node:
    tree: Node = _without_references(_schema(), _schema()["$defs"])
    return tree


def _without_references(node: Any, definitions: Node) -> Any:
    if isinstance(node, list):
        return [_without_references(inner, definitions) for inner in node]
    if not isinstance(node, Mapping):
        return node
    target = definitions[node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node
    return {key: _without_references(inner, definitions) for key, inner in target.items() if key != "$defs"}


def _walk(path: SettingPath, node: Node) -> Iterator[tuple[SettingPath, Node]]:
    for key, inner in node.get("properties", {}).items():
        yield (*path, key), inner
        yield from _walk((*path, key), inner)
    named = values_of(node)
    if named is not None and "properties" in named:
        yield (*path, ANY_NAME), named
        yield from _walk((*path, ANY_NAME), named)


def _child(node: Node, key: str) -> Node | None:
    for branch in branches(node):
        candidate = branch.get("properties", {}).get(key, branch.get("items", values_of(branch)))
        if isinstance(candidate, Mapping):
            return candidate
    return None
