"""JSON Schemas of answers: whether one is sound, and whether a value is what it asks for.

Both are asked on the event loop of a server, of values that clients choose. So patterns are matched in linear time, by
an engine without look-around and back-references, and no reference leads out of a schema.

The validator is imported with the first schema: a worker whose jobs ask nothing does without it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.text import storable

if TYPE_CHECKING:
    from jsonschema_rs import Validator

MESSAGE_MAX_LENGTH = 500

PATTERN_MAX_BYTES = 4_000_000
"""So large a pattern may be once it is compiled."""

INEXACT_INTEGER = 2**53
"""From here on the validator takes neighbours for the same at first, and compares every two that must differ."""
INEXACT_DIGITS_MAX = 1_000
"""So many digits the integers from ``INEXACT_INTEGER`` on, or as far below zero, have where items must be unique."""


def check_schema(schema: dict[str, Any]) -> None:
    """Check that ``schema`` is a JSON Schema, of the draft that its ``$schema`` names or else of 2020-12.

    Raises:
        InvalidParameters: it is none, or refers to another; the message says what is wrong, and where.
    """
    _validator(schema)


def check_answer(schema: dict[str, Any], value: Any) -> None:
    """Check that ``value``, which JSON can say, is what ``schema`` asks for.

    Raises:
        InvalidParameters: it is not; the message says what is wrong, and where.
    """
    # A worker has checked the schema; but what a worker says is not trusted.
    validator = _validator(schema)
    if '"uniqueItems"' in json.dumps(schema):
        _check_integers(value)
    try:
        validator.validate(value)
    except ValueError as error:
        place = _place("value", getattr(error, "instance_path", ()))
        raise _refusal(place, "value", f"is not what the question asks for: {_words(error)}") from error


def _validator(schema: dict[str, Any]) -> Validator:
    from jsonschema_rs import RegexOptions

    try:
        return _kind_of(schema)(
            schema,
            validate_formats=False,
            retriever=_refuse_to_fetch,
            pattern_options=RegexOptions(size_limit=PATTERN_MAX_BYTES),
        )
    except ValueError as error:
        place = _place("schema", getattr(error, "instance_path", ()))
        raise _refusal(place, "schema", f"is not a JSON Schema: {_words(error)}{_note(error)}") from error


def _kind_of(schema: dict[str, Any]) -> type[Validator]:
    from jsonschema_rs import Draft202012Validator, validator_cls_for

    try:
        return validator_cls_for(schema)
    except ValueError:
        # Its $schema names none that is known.
        return Draft202012Validator


def _refuse_to_fetch(uri: str) -> NoReturn:
    raise LookupError(f"a question's schema cannot refer to another: {uri}")


def _check_integers(value: Any) -> None:
    digits, parts = 0, [value]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, int) and abs(part) >= INEXACT_INTEGER:
            digits += len(str(abs(part)))
    if digits > INEXACT_DIGITS_MAX:
        raise _refusal(
            "value",
            "count",
            f"has {digits} digits in its integers of 2^53 or more; {INEXACT_DIGITS_MAX} are allowed where items must "
            "be unique",
        )


def _place(name: str, path: Sequence[Any]) -> str:
    return storable(name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path))


def _words(error: Exception) -> str:
    message = storable(str(getattr(error, "message", error)))
    if len(message) <= MESSAGE_MAX_LENGTH:
        return message
    # It begins with the value, and ends with what is wrong with it.
    half = MESSAGE_MAX_LENGTH // 2
    return f"{message[: half - 1]}…{message[-half:]}"


def _note(error: Exception) -> str:
    is_pattern = str(getattr(error, "message", "")).endswith('is not a "regex"')
    return " of bounded size, without look-around and back-references" if is_pattern else ""


def _refusal(place: str, violation: str, words: str) -> InvalidParameters:
    return InvalidParameters(
        f"{place[:MESSAGE_MAX_LENGTH]} {words}", field=place[:MESSAGE_MAX_LENGTH], violation=violation
    )
