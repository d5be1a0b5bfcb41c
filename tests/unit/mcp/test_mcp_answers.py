"""What a command answers, as what a tool answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import CallToolResult, TextContent

from mcp_queue_plugin.mcp import answers

MOST = 1024


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


@pytest.mark.parametrize(
    ("envelope", "data"),
    [
        ({"success": True, "data": {"a": 1}}, {"a": 1}),
        ({"success": True, "data": {"a": "€"}, "message": "done"}, {"a": "€"}),
        ({"success": True, "data": {}}, {}),
        ({"success": True, "rows": [1]}, {"rows": [1]}),
        ({"success": True, "data": {"error": 0.03}, "error": None}, {"error": 0.03}),
        (
            {"success": True, "data": {"at": datetime(2026, 1, 2, tzinfo=UTC), "in": Path("x")}},
            {"at": "2026-01-02T00:00:00+00:00", "in": "x"},
        ),
        ({"success": True, "data": {"name": "a\udcff"}}, {"name": "a?"}),
        ({"success": True, "data": [1, 2]}, {"result": [1, 2]}),
        ([1], {"result": [1]}),
        (None, {"result": None}),
        ("text", {"result": "text"}),
    ],
)
def test_the_data_are_the_content_twice(envelope: Any, data: dict[str, Any]) -> None:
    result = answers.of_envelope(envelope, MOST)
    assert (result.structured_content, json.loads(text_of(result)), result.is_error) == (data, data, False)


@pytest.mark.parametrize(
    "envelope", [{"success": True, "message": "done"}, {"success": True, "data": {}, "message": "done"}]
)
def test_an_answer_that_is_a_message_is_that_message(envelope: Any) -> None:
    result = answers.of_envelope(envelope, MOST)
    assert (text_of(result), result.structured_content) == ("done", {"message": "done"})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"code": -1, "message": "no paper", "data": {"tray": 2}}, 'no paper\n{"code": -1, "data": {"tray": 2}}'),
        ({"message": "no paper"}, "no paper"),
        ("no paper", "no paper"),
        ({}, "the command failed and said nothing"),
        (None, "the command failed and said nothing"),
    ],
)
def test_an_error_is_told_in_words(error: Any, text: str) -> None:
    for envelope in ({"success": False, "error": error}, {"error": error}):
        result = answers.of_envelope(envelope, MOST)
        assert (text_of(result), result.is_error, result.structured_content) == (text, True, None)


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": object()}])
def test_what_nobody_can_say_is_an_error_of_the_command(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        answers.of_data(data, MOST)


@given(st.text(min_size=400))
def test_a_text_that_is_too_long_is_cut_and_says_so(text: str) -> None:
    result = answers.of_data({"text": text * 4}, MOST)
    shown, _, note = text_of(result).rpartition("\n")
    assert result.structured_content == {"text": text * 4}
    size = len(answers.as_text({"text": text * 4}).encode())
    assert note.startswith("[cut: ")
    assert note.endswith(f" of {size} bytes are shown]")
    assert len(shown.encode()) <= MOST
