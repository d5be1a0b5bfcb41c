"""What a schema allows and what was found, in words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mcp_queue_plugin.words import in_words, keys_in_words, shown
from tests.unit.model.odd_values import Ugly

COUNT = {"type": "integer", "minimum": 1, "maximum": 10_000}
NAME = {"type": "string", "pattern": "^[a-z]+$", "x-words": "queue name"}

SCHEMAS: list[tuple[dict[str, Any], str]] = [
    (COUNT, "an integer from 1 to 10,000"),
    ({"type": "number", "exclusiveMinimum": 0, "maximum": 5}, "a number above 0 and up to 5"),
    ({"type": "boolean"}, "true or false"),
    ({"type": "null"}, "null"),
    ({"type": "string", "minLength": 1}, "a non-empty string"),
    (NAME, "a queue name"),
    ({"type": "string", "enum": ["full", "normal"]}, '"full" or "normal"'),
    ({"enum": ["only"]}, '"only"'),
    ({"anyOf": [COUNT, {"type": "null"}]}, "an integer from 1 to 10,000, or null"),
    ({"type": "array", "items": NAME}, "a JSON list of queue names"),
    ({"type": "object", "properties": {"a": COUNT}, "additionalProperties": False}, "a JSON object"),
    (
        {"type": "object", "additionalProperties": COUNT},
        "a JSON object whose values are each an integer from 1 to 10,000",
    ),
    (
        {"type": "object", "patternProperties": {"^a": NAME}, "additionalProperties": False},
        "a JSON object whose values are each a queue name",
    ),
]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


SHOWN: list[tuple[object, str]] = [
    (None, "null"),
    (True, "true"),
    ("größe\n", r'"größe\n"'),
    ({"a": [1, 2.5]}, '{"a": [1, 2.5]}'),
    (math.nan, "NaN"),
    (-math.inf, "-Infinity"),
    ((1, 2), "[1, 2]"),
    ({1}, "{1}"),
    (b"x", "b'x'"),
    (ValueError, "<class 'ValueError'>"),
    ((ValueError, "x"), "(<class 'ValueError'>, 'x')"),
    ("\ud800", r'"\ud800"'),
    ("x" * 100, f'"{"x" * 78}…'),
    ("x" * 78, f'"{"x" * 78}"'),
    (endless(), "[[[[[[[...]]]]]]]"),
]


@pytest.mark.parametrize(("schema", "words"), SCHEMAS)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert in_words(schema) == words


def test_the_keys_of_an_object_in_words() -> None:
    limits = {"type": "object", "additionalProperties": COUNT, "propertyNames": {"minLength": 1}}
    assert keys_in_words({"anyOf": [limits, {"type": "null"}]}) == "a non-empty string"
    assert keys_in_words({"type": "object", "propertyNames": {"x-words": "queue name"}}) == "a queue name"


@pytest.mark.parametrize(("value", "line"), SHOWN)
def test_a_value_in_one_line(value: object, line: str) -> None:
    assert shown(value) == line


@pytest.mark.parametrize("value", [Ugly(), [Ugly()], {Ugly(): 1}, {"a": Ugly()}])
def test_a_value_that_cannot_say_what_it_is_is_named_by_its_type(value: object) -> None:
    assert "<Ugly instance at 0x" in shown(value)


def test_a_value_is_shown_however_deep_it_is() -> None:
    assert shown(nested(100_000)).startswith("[[[[")


def test_an_integer_that_python_does_not_write_is_shown_by_its_size() -> None:
    assert shown(10**5000) == "<integer of 16,610 bits>"
    assert shown({"a": -(10**5000)}) == "{'a': <integer of 16,610 bits>}"
