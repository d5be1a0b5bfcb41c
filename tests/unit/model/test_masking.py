"""What says that it is a secret is not shown."""

from __future__ import annotations

from mcp_queue_plugin.model.masking import MASK, masked, masked_refusal

WORDS = ("password", "token")


def test_the_values_of_secret_keys_are_masked_at_any_depth_and_nothing_else() -> None:
    value = {"user": "a", "Password": "x", "list": [{"api_token_2": [1, 2]}, "token"], "token": None, "n": 1}
    shown = {"user": "a", "Password": MASK, "list": [{"api_token_2": MASK}, "token"], "token": None, "n": 1}
    assert masked(value, WORDS) == shown
    assert masked(value, ()) == value
    assert masked(("a", {"token": 1}), WORDS) == ["a", {"token": MASK}]


def test_a_refused_secret_is_shown_neither_to_people_nor_to_programs() -> None:
    data = {"field": "params.password", "violation": "type", "expected": "string", "got": 12345}
    message, shown = masked_refusal("parameter 'password' must be string, got 12345", data, WORDS)
    assert message == "params.password is not valid (type); its value is not shown"
    assert shown == {"field": "params.password", "violation": "type", "expected": "string"}


def test_other_refusals_are_shown_as_they_are() -> None:
    data = {"field": "limit", "got": 0, "token": "x"}
    assert masked_refusal("must be >= 1, got 0", data, WORDS) == ("must be >= 1, got 0", {**data, "token": MASK})
