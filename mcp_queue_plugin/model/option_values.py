"""The values of single options: what each may be, and how those that have several forms are read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from mcp_queue_plugin.allowed import COUNT, POSITIVE_SECONDS, PRIORITY, REPEATS, SECONDS
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.words import shown

NAME_MAX_LENGTH = 200
TYPE_NAME_MAX_LENGTH = 500
RETRY_ON_MAX_TYPES = 100

Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=NAME_MAX_LENGTH,
        extra_json_schema={"x-words": f"string of 1 to {NAME_MAX_LENGTH} characters"},
    ),
]
TypeName = Annotated[str, msgspec.Meta(min_length=1, max_length=TYPE_NAME_MAX_LENGTH)]
TypeNames = Annotated[tuple[TypeName, ...], msgspec.Meta(max_length=RETRY_ON_MAX_TYPES)]
Priority = Annotated[int, msgspec.Meta(**PRIORITY)]
Count = Annotated[int, msgspec.Meta(**COUNT)]
Repeats = Annotated[int, msgspec.Meta(**REPEATS)]
Seconds = Annotated[float, msgspec.Meta(**SECONDS)]
PositiveSeconds = Annotated[float, msgspec.Meta(**POSITIVE_SECONDS)]
# The years 1 to 9999, which are those of datetime.
Moment = Annotated[float, msgspec.Meta(ge=-62_135_596_800, le=253_402_300_799)]


def exception_names(error: type[BaseException]) -> tuple[str, ...]:
    """The names under which ``retry_on`` finds errors of this type: its own and its bases', bare and with module."""
    bases = (base for base in error.__mro__ if base is not object)
    return tuple(dict.fromkeys(name for base in bases for name in (base.__name__, _type_name(base))))


def read_run_at(moment: Any) -> float | None:
    """Seconds since the epoch, of any form of ``run_at``."""
    try:
        seconds: float | None = msgspec.convert(_timestamp(moment), Moment | None)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError, NotImplementedError):
        allowed = "a time with an offset, such as 2030-01-31T12:00:00Z, or seconds since the epoch, or null"
        raise refusal("run_at", allowed, moment) from None
    return seconds


def read_retry_on(types: Any) -> tuple[str, ...]:
    """The names of the types."""
    if not isinstance(types, tuple | list) or len(types) > RETRY_ON_MAX_TYPES:
        raise refusal("retry_on", f"a tuple of up to {RETRY_ON_MAX_TYPES} exception types or names of such", types)
    return tuple(_read_type(kind) for kind in types)


def read_idempotency_key(key: Any) -> str | None:
    """The key itself."""
    if key is not None and not _is_text(key, NAME_MAX_LENGTH):
        raise refusal("idempotency_key", f"a Unicode text of 1 to {NAME_MAX_LENGTH} characters, or null", key)
    return key if key is None else str.__str__(key)


def plain(value: Any) -> Any:
    """``value``; a text or number of a derived type as one of the type itself, which is all that records can hold."""
    if isinstance(value, str):
        return str.__str__(value)
    return float.__float__(value) if isinstance(value, float) else value


def refusal(field: str, allowed: str, value: Any) -> InvalidParameters:
    """The error for an option with a value that is none of those allowed."""
    return invalid(field, f"must be {allowed}, not {shown(value)}", value)


def invalid(field: str, reason: str, value: Any) -> InvalidParameters:
    """The error for an option that is not valid for ``reason``."""
    return InvalidParameters(f"{field} {reason}", field=field, violation="value", got=shown(value))


def _timestamp(moment: Any) -> Any:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        return plain(moment)
    if moment.utcoffset() is None:
        raise ValueError("without an offset it is another time on every machine")
    return moment.timestamp()


def _read_type(kind: Any) -> str:
    name = _type_name(kind) if isinstance(kind, type) and issubclass(kind, BaseException) else kind
    if not _is_text(name, TYPE_NAME_MAX_LENGTH):
        raise refusal("retry_on", "exception types or names of such", kind)
    return str.__str__(name)


def _type_name(kind: type) -> str:
    # What is in __main__ here is imported under another name by a worker.
    bare = kind.__module__ in ("builtins", "__main__")
    return kind.__name__ if bare else f"{kind.__module__}.{kind.__qualname__}"


def _is_text(value: Any, max_length: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= max_length and "\0" not in value and storable(value) == value
