"""JSON Schemas of answers: whether one is sound, and whether a value is what it asks for.

The validator is imported with the first schema: a worker whose jobs ask nothing does without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.text import storable

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MESSAGE_MAX_LENGTH = 500


def check_schema(schema: dict[str, Any]) -> None:
    """Check that ``schema`` is a JSON Schema, of the draft that its ``$schema`` names or else of 2020-12.

    Raises:
        InvalidParameters: it is none; the message says what is wrong, and where.
    """
    from jsonschema import SchemaError

    try:
        _kind_of(schema).check_schema(schema)
    except SchemaError as error:
        raise _refusal(
            _place("schema", error.absolute_path), "schema", f"is not a JSON Schema: {_words(error)}"
        ) from error
    except _FAILURES as error:
        raise _refusal("schema", "schema", f"is not a JSON Schema: {_words(error)}") from error


def check_answer(schema: dict[str, Any], value: Any) -> None:
    """Check that ``value`` is what ``schema`` asks for. A reference in it that leads out of it is not followed.

    Raises:
        InvalidParameters: it is not; the message says what is wrong, and where.
    """
    from jsonschema.exceptions import ValidationError, best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # A worker has checked it; but what a worker says is not trusted.
    check_schema(schema)
    try:
        error = best_match(_kind_of(schema)(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, *_FAILURES) as failure:
        raise _refusal("value", "schema", f"cannot be checked by the question's schema: {_words(failure)}") from failure
    if isinstance(error, ValidationError):
        place = _place("value", error.absolute_path)
        raise _refusal(place, "value", f"is not what the question asks for: {_words(error)}")


_FAILURES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, re.error)
"""What an odd schema makes the validator raise, where it is not refused in so many words."""


def _kind_of(schema: dict[str, Any]) -> type[Validator]:
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for(schema, default=Draft202012Validator)


def _place(name: str, path: Sequence[Any]) -> str:
    return storable(name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path))


def _words(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    return storable(str(message), MESSAGE_MAX_LENGTH)


def _refusal(place: str, violation: str, words: str) -> InvalidParameters:
    return InvalidParameters(
        f"{place[:MESSAGE_MAX_LENGTH]} {words}", field=place[:MESSAGE_MAX_LENGTH], violation=violation
    )
