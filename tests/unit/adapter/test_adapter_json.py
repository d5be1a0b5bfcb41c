"""Documents: strictly JSON, and an error that names the place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.errors import JSONRPC_INVALID_PARAMS, NotJson

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30)
UNSPEAKABLE = st.sampled_from([float("nan"), float("inf"), float("-inf"), b"bytes", {1, 2}, object(), 1j, "\ud800"])


@given(DOCUMENTS)
def test_what_json_can_say_comes_back_equal(value: Any) -> None:
    assert json.loads(encode_document(value)) == value


@given(DOCUMENTS, st.integers(0, 3), UNSPEAKABLE)
def test_what_json_cannot_say_is_refused_and_its_place_is_named(value: Any, depth: int, culprit: object) -> None:
    place, document = "result", culprit
    for level in range(depth):
        if level % 2:
            place, document = place.replace("result", "result.key", 1), {"before": value, "key": document}
        else:
            place, document = place.replace("result", "result[1]", 1), [value, document]
    with pytest.raises(NotJson) as refusal:
        encode_document(document)
    assert refusal.value.data == {"field": place, "violation": "not JSON"}
    assert refusal.value.message.startswith(f"{place} is not JSON: ")
    assert refusal.value.code == JSONRPC_INVALID_PARAMS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, "params.a[1] is not JSON: a value of type object"),
        ({"a": float("nan")}, "params.a is not JSON: nan is not a JSON number"),
        ({"a": {(1, 2): 3}}, "params.a is not JSON: a key of type tuple"),
        ({"a": "x\udc80"}, "params.a is not JSON: a lone surrogate at character 1"),
        ({"a": ({"b": b""},)}, "params.a[0].b is not JSON: a value of type bytes"),
    ],
)
def test_the_message_says_what_stands_there(value: object, message: str) -> None:
    with pytest.raises(NotJson) as refusal:
        encode_document(value, "params")
    assert refusal.value.message == message


def test_keys_of_other_scalar_types_become_texts_as_json_does_it() -> None:
    assert json.loads(encode_document({7: "a", True: "b", None: "c", 2.5: "d"})) == json.loads(
        json.dumps({7: "a", True: "b", None: "c", 2.5: "d"})
    )


@pytest.mark.parametrize("key", [float("nan"), float("inf"), "\ud800"], ids=["nan", "infinity", "surrogate"])
def test_a_key_that_json_cannot_say_is_found_in_its_object(key: object) -> None:
    with pytest.raises(NotJson) as refusal:
        encode_document({"outer": [{key: 1}]})
    assert refusal.value.data["field"] == "result.outer[0]"
    refusal.value.message.encode()


def test_the_place_of_a_value_can_be_told_whatever_its_keys_are() -> None:
    with pytest.raises(NotJson) as refusal:
        encode_document({"\ud800": {"inner": object()}})
    refusal.value.message.encode()


def test_what_contains_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(NotJson, match="nested deeper than 500 levels, or contains itself"):
        encode_document(ring)


def test_what_is_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotJson, match="nested deeper"):
        encode_document(deep)


def test_a_document_is_compact_utf8() -> None:
    assert encode_document({"a": "ż", "b": [1, None]}) == '{"a":"ż","b":[1,null]}'.encode()
