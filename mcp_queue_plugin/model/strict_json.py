"""JSON as RFC 8259 means it, and what it leaves open decided: nothing that two readers could take for two things."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from mcp_queue_plugin.errors import InvalidRequest, NotStrictJson
from mcp_queue_plugin.model.text import storable

PLACE_MAX_LENGTH = 80


def parse(body: bytes, max_depth: int) -> Any:
    """The value that ``body`` says, in UTF-8.

    Raises:
        NotStrictJson: it says none, or one with a number that is not finite or too long, a key that stands twice in an
            object, or half of a surrogate pair.
        InvalidRequest: it is nested deeper than ``max_depth`` levels.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"not UTF-8: byte {error.start} of the request") from error
    if exceeds_depth(body, max_depth):
        raise InvalidRequest(f"objects and lists are nested deeper than {max_depth} levels", max_depth=max_depth)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotStrictJson(f"not JSON: {error.msg} at character {error.pos}") from error
    except ValueError as error:
        # A number of more digits than Python reads.
        raise NotStrictJson("not JSON that can be read: a number is too long") from error
    if "\\u" in text and any(storable(part) != part for part in _texts(value)):
        raise NotStrictJson("not JSON that can be read: a text has half of a surrogate pair")
    return value


def exceeds_depth(document: bytes, max_depth: int) -> bool:
    """Whether objects and lists are nested deeper than ``max_depth`` levels in a JSON document.

    All passes over it are made in C, so that a large one does not hold up everything else.
    """
    if document.count(b"{") + document.count(b"[") <= max_depth:
        return False
    left = _STRINGS.sub(b"", document).translate(_BRACKETS, _ALL_ELSE)
    for _ in range(max_depth):
        # The innermost level goes.
        left = left.replace(b"[]", b"")
        if not left:
            return False
    return b"[]" in left or left.count(b"[") > max_depth


_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ALL_ELSE = bytes(byte for byte in range(256) if byte not in b"{}[]")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise NotStrictJson(f"not JSON that can be read: the key {ascii(twice)[:PLACE_MAX_LENGTH]} stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise NotStrictJson(f"not JSON: {name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotStrictJson(f"not JSON that can be read: the number {digits[:PLACE_MAX_LENGTH]} is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def _texts(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        part = left.pop()
        match part:
            case str():
                yield part
            case dict():
                yield from part
                left.extend(part.values())
            case list():
                left.extend(part)
