"""Documents that travel with a job: encoded once, strictly, with an error that says where."""

from __future__ import annotations

import json
import math
from typing import Any

from mcp_queue_plugin.errors import NotJson


def encode_document(value: Any, name: str = "result") -> bytes:
    """``value`` as a JSON document in UTF-8.

    Raises:
        NotJson: it holds something JSON cannot say; the message names the first such place, counted from ``name``.
    """
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place, reason = _find(value, name, 0) or (name, str(error))
        raise NotJson(f"{place} is not JSON: {reason}", field=place, violation="not JSON") from error


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_MAX_DEPTH = 500


def _find(value: Any, place: str, depth: int) -> tuple[str, str] | None:
    """The first place in ``value`` that JSON cannot say, and why."""
    if depth > _MAX_DEPTH:
        return place, f"it is nested deeper than {_MAX_DEPTH} levels, or contains itself"
    match value:
        case dict():
            return _find_in_dict(value, place, depth)
        case list() | tuple():
            return _first(_find(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value))
        case str():
            return _find_in_text(value, place)
        case float() if not math.isfinite(value):
            return place, f"{value} is not a JSON number"
        case None | bool() | int() | float():
            return None
        case _:
            return place, f"a value of type {type(value).__name__}"


def _find_in_dict(value: dict[Any, Any], place: str, depth: int) -> tuple[str, str] | None:
    for key in value:
        if not isinstance(key, str | int | float | bool | None):
            return place, f"a key of type {type(key).__name__}"
    return _first(_find(item, f"{place}.{key}", depth + 1) for key, item in value.items())


def _find_in_text(value: str, place: str) -> tuple[str, str] | None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return place, f"a lone surrogate at character {error.start}"
    return None


def _first(found: Any) -> tuple[str, str] | None:
    return next((each for each in found if each is not None), None)
