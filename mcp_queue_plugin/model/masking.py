"""Secrets are not shown: the values of keys that say that they are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MASK = "***"


def is_secret(key: str, words: Sequence[str]) -> bool:
    """Whether the value of a key is not to be shown: it contains one of ``words``, in any case."""
    lowered = key.lower()
    return any(word.lower() in lowered for word in words)


def masked(value: Any, words: Sequence[str]) -> Any:
    """``value`` as JSON, at any depth with a mask in place of what is not to be shown."""
    match value:
        case dict():
            return {
                key: MASK if is_secret(str(key), words) and part is not None else masked(part, words)
                for key, part in value.items()
            }
        case list() | tuple():
            return [masked(part, words) for part in value]
        case _:
            return value


def masked_refusal(message: str, data: dict[str, Any], words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """What is said of a refused parameter, without its value if that is not to be shown.

    Args:
        message: For people; it may contain the value.
        data: For programs: ``field`` is the parameter's path, ``got`` and ``value`` what it was.
        words: As for ``is_secret``.
    """
    field = str(data.get("field", ""))
    if not is_secret(field, words):
        return message, masked(data, words)
    why = data.get("violation", "value")
    return f"{field} is not valid ({why}); its value is not shown", {
        key: part for key, part in data.items() if key in ("field", "violation", "expected", "required", "type")
    }
