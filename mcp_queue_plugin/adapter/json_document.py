"""Documents that travel with a job: encoded once, strictly, with an error that says where."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from mcp_queue_plugin.errors import NotJson
from mcp_queue_plugin.model.text import storable

MAX_DEPTH = 500
PLACE_MAX_LENGTH = 500


def encode_document(value: Any, name: str = "result", *, sort_keys: bool = False) -> bytes:
    """``value`` as a JSON document in UTF-8; with ``sort_keys`` the same for all that is equal.

    Raises:
        NotJson: it holds something JSON cannot say; the message names the first such place, counted from ``name``.
    """
    try:
        return (_SORTING_ENCODER if sort_keys else _ENCODER).encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place, reason = _find_fault(value, name) or (name, str(error))
        raise NotJson(f"{place} is not JSON: {reason}", field=place, violation="not JSON") from error


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SORTING_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)

Placed = tuple[str, Any]


def _find_fault(value: Any, name: str) -> tuple[str, str] | None:
    """The first place in ``value`` that JSON cannot say, and why."""
    branches: list[Iterator[Placed]] = [iter([(name, value)])]
    while branches:
        found = next(branches[-1], None)
        if found is None:
            branches.pop()
            continue
        place, part = found
        reason = _fault(part)
        if len(branches) > MAX_DEPTH:
            reason = f"it is nested deeper than {MAX_DEPTH} levels, or contains itself"
        if reason is not None:
            return storable(place, PLACE_MAX_LENGTH), reason
        branches.append(_parts(place, part))
    return None


def _parts(place: str, value: Any) -> Iterator[Placed]:
    if isinstance(value, dict):
        yield from ((f"{place}.{key}", part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"{place}[{index}]", part) for index, part in enumerate(value))


def _fault(value: Any) -> str | None:
    """Why JSON cannot say ``value`` itself, whatever it holds."""
    match value:
        case dict():
            return next((fault for key in value if (fault := _fault_of_key(key)) is not None), None)
        case str():
            return _fault_of_text(value)
        case float() if not math.isfinite(value):
            return f"{value} is not a JSON number"
        case None | bool() | int() | float() | list() | tuple():
            return None
        case _:
            return f"a value of type {type(value).__name__}"


def _fault_of_key(key: Any) -> str | None:
    if not isinstance(key, str | int | float | bool | None):
        return f"a key of type {type(key).__name__}"
    fault = _fault(key)
    return None if fault is None else f"its key: {fault}"


def _fault_of_text(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate at character {error.start}"
    return None
