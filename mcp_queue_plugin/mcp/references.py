"""The references of a JSON Schema, and how they go along when it becomes part of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DEFINITIONS = ("$defs", "definitions")
"""Where a schema keeps others to refer to; the second is that of the older drafts."""

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_VALUES = frozenset({"const", "enum", "default", "examples"})
"""Keywords that hold values, in which nothing is a reference."""
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies", *DEFINITIONS})
"""Keywords that hold schemas by names, which are no keywords."""

Change = Callable[[str, str], str]
"""Makes a new reference of a keyword and its reference."""
IsApart = Callable[[Mapping[str, Any]], bool]
"""Whether the references below a schema are to itself, wherever it stands."""


def with_references(schema: Any, change: Change, is_apart: IsApart) -> Any:
    """A copy of ``schema`` in which every reference is what ``change`` makes of it; what ``is_apart`` is kept whole."""
    if isinstance(schema, list | tuple):
        return [with_references(each, change, is_apart) for each in schema]
    if not isinstance(schema, Mapping) or is_apart(schema):
        return schema
    return {key: _value(key, value, change, is_apart) for key, value in schema.items()}


def _value(key: str, value: Any, change: Change, is_apart: IsApart) -> Any:
    if key in _REFERENCES and isinstance(value, str):
        return change(key, value)
    if key in _VALUES:
        return value
    if key in _BY_NAME and isinstance(value, Mapping):
        return {name: with_references(each, change, is_apart) for name, each in value.items()}
    return with_references(value, change, is_apart)
