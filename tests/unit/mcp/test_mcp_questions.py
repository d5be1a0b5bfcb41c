"""Questions of jobs as forms: what a form asks for is what the question asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.mcp.questions import ANSWER, answer_of, input_requests
from mcp_queue_plugin.model.answer_schemas import check_answer, check_schema
from mcp_queue_plugin.model.job import Question
from mcp_queue_plugin.model.questions import AnswerAction
from mcp_queue_plugin.model.states import State
from tests.unit.model.jobs import job_in

COLOURS = {"C": {"enum": ["red", "blue"]}}
PAIR = {"type": "array", "prefixItems": [{"type": "integer"}, {"$ref": "#/prefixItems/0"}], "minItems": 2}
TREE = {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]}}


def question_for(schema: dict[str, Any] | None) -> Question:
    return Question(key="k", prompt="?", schema=None if schema is None else json.dumps(schema), attempt=1)


def form_for(schema: dict[str, Any] | None) -> dict[str, Any]:
    requests = input_requests(job_in(State.INPUT_REQUIRED, questions=(question_for(schema),)))
    form: dict[str, Any] = requests["k"]["params"]["requestedSchema"]
    return form


def fits(schema: dict[str, Any], value: Any) -> bool:
    check_schema(schema)
    try:
        check_answer(schema, value)
    except InvalidParameters:
        return False
    return True


def test_a_question_for_an_object_is_its_own_form() -> None:
    schema = {"type": "object", "properties": {"c": {"$ref": "#/$defs/C"}}, "$defs": COLOURS}
    assert form_for(schema) == schema


def test_a_question_for_any_value_asks_for_a_text() -> None:
    assert form_for(None)["properties"] == {ANSWER: {"type": "string"}}


def test_what_a_form_refers_to_is_at_its_root() -> None:
    dialect = "https://json-schema.org/draft/2020-12/schema"
    assert form_for({"$schema": dialect, "$ref": "#/$defs/C", "$defs": COLOURS}) == {
        "$schema": dialect,
        "$defs": COLOURS,
        "type": "object",
        "properties": {ANSWER: {"$ref": "#/$defs/C"}},
        "required": [ANSWER],
    }


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"$ref": "#/$defs/C", "$defs": COLOURS}, "red", "green"),
        ({"$ref": "#/%24defs/C", "$defs": COLOURS}, "red", "green"),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "items": {"$ref": "#/definitions/C"},
                "definitions": COLOURS,
            },
            ["red"],
            ["green"],
        ),
        (PAIR, [1, 2], [1, "2"]),
        (TREE, [1, [2, [3]]], [1, [2, ["3"]]]),
        ({"$ref": "#/$defs/T", "$defs": {"T": {"type": "array", "items": {"$ref": "#"}}}}, [[], [[]]], [[1]]),
        ({"$ref": "#c", "$defs": {"C": {"$anchor": "c", "type": "integer"}}}, 1, "1"),
        ({"$dynamicRef": "#/$defs/C", "$defs": COLOURS}, "blue", "green"),
        ({"$id": "https://example.com/a", "$ref": "#/$defs/C", "$defs": COLOURS}, "red", "green"),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "id": "https://example.com/a",
                "items": {"$ref": "#/definitions/C"},
                "definitions": COLOURS,
            },
            ["red"],
            ["green"],
        ),
        (
            {
                "items": {"$ref": "#/$defs/D"},
                "$defs": {"D": {"$id": "https://example.com/d", "items": {"$ref": "#/x"}, "x": {"const": 1}}},
            },
            [[1]],
            [[2]],
        ),
        (
            {"properties": {"default": {"$ref": "#/minimum-of"}}, "minimum-of": COLOURS["C"]},
            {"default": "red"},
            {"default": 1},
        ),
        ({"const": {"$ref": "#"}}, {"$ref": "#"}, {"$ref": "#/properties/answer"}),
        ({"properties": {"$ref": {"type": "integer"}}}, {"$ref": 1}, {"$ref": "1"}),
    ],
)
def test_a_form_with_one_field_takes_what_its_question_takes(schema: dict[str, Any], right: Any, wrong: Any) -> None:
    form = form_for(schema)
    assert form["type"] == "object"
    for value, is_right in ((right, True), (wrong, False)):
        assert (fits(schema, value), fits(form, {ANSWER: value})) == (is_right, is_right)
    response = {"action": "accept", "content": {ANSWER: right}}
    assert answer_of(question_for(schema), response) == (AnswerAction.ACCEPT, right)
