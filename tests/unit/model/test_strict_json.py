"""JSON that two readers could take for two things is refused, and so is what is too deep; all else is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.errors import InvalidRequest, NotStrictJson
from mcp_queue_plugin.model.strict_json import exceeds_depth, parse

MAX_DEPTH = 10

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: Any) -> int:
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case _:
            return 0


@given(values, st.booleans())
def test_what_json_says_is_read_as_it_is_if_it_is_not_too_deep(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth = depth_of(value)
    assert parse(body, max(depth, 1)) == value
    assert not exceeds_depth(body, depth)
    if depth:
        assert exceeds_depth(body, depth - 1)


@given(st.binary() | st.text().map(str.encode))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        value = parse(body, MAX_DEPTH)
    except InvalidRequest:
        return
    assert value == json.loads(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xff", "not UTF-8: byte 0"),
        (b"NaN", "NaN is no JSON number"),
        (b'{"a": [-Infinity]}', "-Infinity is no JSON number"),
        (b"1e999", "the number 1e999 is too large"),
        (b"1" * 5000, "a number is too long"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b'{"\\udc00": 1}', "half of a surrogate pair"),
        (b'"a\x00b"', "not JSON"),
    ],
)
def test_what_is_not_json_with_one_meaning_is_refused_with_the_reason(body: bytes, says: str) -> None:
    with pytest.raises(NotStrictJson) as refused:
        parse(body, MAX_DEPTH)
    assert says in refused.value.message
    assert refused.value.code == -32700


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_depth_is_counted_before_anything_is_read(opening: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(opening * 1_000_000, MAX_DEPTH)
    assert refused.value.code == -32600
    assert refused.value.data == {"max_depth": MAX_DEPTH}


def test_brackets_within_texts_do_not_count() -> None:
    value = ["[[[[[[[[[[{{{{{", '"[' * 20, "\\"]
    assert parse(json.dumps(value).encode(), 1) == value
    assert parse(b'"\\ud83d\\ude00"', 1) == "\N{GRINNING FACE}"
