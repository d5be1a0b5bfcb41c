"""The settings as JSON Schema, and what is read from it: which settings there are, and in words what each allows.

Messages, environment variables and the reference all come from this one description.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from mcp_queue_plugin.settings.models import Settings

SettingPath = tuple[str, ...]
"""Where a setting stands, from its section on: ``("queue_plugin", "workers", "min")``."""

Node = Mapping[str, Any]
"""The JSON Schema of a section, a setting or a part of its value."""

ANY_NAME = "name"
"""Stands in a path for a name of the user's choosing: ``("queue_plugin", "queues", "name", "max_queue_size")``."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of both sections, for editors and ``mcp-queue config schema``.

    Beside the standard words, a setting may carry ``x-unit`` (what its number counts) and ``x-special`` (values with a
    meaning of their own). Other top-level sections are allowed: they are the adapter's and the application's.
    """
    return deepcopy(_schema())


@cache
def _schema() -> dict[str, Any]:
    return {"$schema": _DIALECT, **Settings.model_json_schema()}


def sections() -> dict[SettingPath, Node]:
    """Every group of settings by its path, outer ones first."""
    return {path: node for path, node in _walk((), _schema()) if "properties" in node}


def all_settings() -> dict[SettingPath, Node]:
    """Every single setting by its path, in the order of the models."""
    return {path: node for path, node in _walk((), _schema()) if "properties" not in node}


def schema_at(path: SettingPath) -> Node | None:
    """The schema of what stands at ``path``, also inside a setting's list or object; None for an unknown key."""
    node: Node | None = _schema()
    for key in path:
        node = _child(node, key) if node is not None else None
    return node


def in_words(node: Node) -> str:
    """What ``node`` allows, as in "must be …": ``an integer from 1 to 10,000, or null``."""
    return ", or ".join(_type_in_words(branch) for branch in branches(node))


def branches(node: Node) -> list[Node]:
    """The alternatives of a schema; a schema without any is its own."""
    return [_resolved(branch) for branch in node.get("anyOf", [node])]


def _walk(path: SettingPath, node: Node) -> Iterator[tuple[SettingPath, Node]]:
    for key, child in node["properties"].items():
        inner = _resolved(child)
        yield (*path, key), inner
        if "properties" in inner:
            yield from _walk((*path, key), inner)
        named = _values_of(inner)
        if named is not None and "properties" in named:
            yield (*path, key, ANY_NAME), named
            yield from _walk((*path, key, ANY_NAME), named)


def _child(node: Node, key: str) -> Node | None:
    for branch in branches(node):
        candidate = branch.get("properties", {}).get(key, branch.get("items", _values_of(branch)))
        if isinstance(candidate, Mapping):
            return _resolved(candidate)
    return None


def _values_of(node: Node) -> Node | None:
    """The schema of the values of an object whose keys are free, or free within a pattern."""
    (values,) = node.get("patternProperties", {"": node.get("additionalProperties")}).values()
    return _resolved(values) if isinstance(values, Mapping) else None


def _resolved(node: Node) -> Node:
    reference = node.get("$ref")
    if reference is None:
        return node
    target: Node = _schema()["$defs"][reference.removeprefix("#/$defs/")]
    return target


def _type_in_words(node: Node) -> str:
    if "enum" in node:
        return " or ".join(json.dumps(value) for value in node["enum"])
    match node.get("type", "string"):
        case "integer":
            return f"an integer {_range_in_words(node)}"
        case "number":
            return f"a number {_range_in_words(node)}"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case "array":
            return f"a JSON list of {_plural(in_words(node['items']))}"
        case "object" if "properties" not in node:
            values = _values_of(node)
            assert values is not None
            return f"a JSON object whose values are each {in_words(values)}"
        case "object":
            return "a JSON object"
        case _:
            return f"a {node.get('x-words', 'non-empty string')}"


def _range_in_words(node: Node) -> str:
    if "exclusiveMinimum" in node:
        return f"above {node['exclusiveMinimum']:,} and up to {node['maximum']:,}"
    return f"from {node['minimum']:,} to {node['maximum']:,}"


def _plural(words: str) -> str:
    return f"{words.removeprefix('a ').removeprefix('an ')}s"
