"""What a JSON Schema allows, and what was found instead, in words for a message: ``must be … , not …``."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from typing import Any

Node = Mapping[str, Any]
"""A JSON Schema without references. ``x-words`` in it names what a string's pattern means."""

SHOWN_MAX_LENGTH = 80


def in_words(node: Node) -> str:
    """What ``node`` allows: ``an integer from 1 to 10,000, or null``."""
    return ", or ".join(_type_in_words(branch) for branch in branches(node))


def keys_in_words(node: Node) -> str:
    """What each key of an object may be: ``a non-empty string``."""
    (names,) = (branch["propertyNames"] for branch in branches(node) if "propertyNames" in branch)
    return in_words({"type": "string", **names})


def branches(node: Node) -> list[Node]:
    """The alternatives of a schema; a schema without any is its own."""
    return list(node.get("anyOf", [node]))


def values_of(node: Node) -> Node | None:
    """The schema of the values of an object whose keys are free, or free within a pattern."""
    (values,) = node.get("patternProperties", {"": node.get("additionalProperties")}).values()
    return values if isinstance(values, Mapping) else None


def shown(value: Any) -> str:
    """``value`` as it may stand in a line, whatever it is: as JSON if it can be, cut when it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = _REPRESENTATION.repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN_MAX_LENGTH else f"{text[: SHOWN_MAX_LENGTH - 1]}…"


def _type_in_words(node: Node) -> str:
    if "enum" in node:
        return " or ".join(json.dumps(value) for value in node["enum"])
    match node["type"]:
        case "integer":
            return f"an integer {_range_in_words(node)}"
        case "number":
            return f"a number {_range_in_words(node)}"
        case "string":
            return f"a {node.get('x-words', 'non-empty string')}"
        case "array":
            return f"a JSON list of {_plural(in_words(node['items']))}"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case _:
            values = values_of(node)
            return "a JSON object" if values is None else f"a JSON object whose values are each {in_words(values)}"


def _range_in_words(node: Node) -> str:
    if "exclusiveMinimum" in node:
        return f"above {node['exclusiveMinimum']:,} and up to {node['maximum']:,}"
    return f"from {node['minimum']:,} to {node['maximum']:,}"


def _plural(words: str) -> str:
    noun, bracket, remark = words.removeprefix("a ").removeprefix("an ").partition(" (")
    return f"{noun}s{bracket}{remark}"


class _Representation(reprlib.Repr):
    """``repr`` that survives what it is given: endless nesting, a ``__repr__`` that raises, and huge integers."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = SHOWN_MAX_LENGTH

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write an integer of thousands of digits.
        return super().repr_int(x, level) if x.bit_length() < 1000 else f"<integer of {x.bit_length():,} bits>"


_REPRESENTATION = _Representation()
