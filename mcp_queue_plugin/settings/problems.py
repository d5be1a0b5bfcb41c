"""What is wrong with a configuration, one line for each mistake."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from mcp_queue_plugin.settings.schema import ANY_NAME, SettingPath, named_as
from mcp_queue_plugin.words import shown


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration.

    Attributes:
        source: Where it was made: the file's name, or that of the environment variable.
        path: The setting, from its section on: ``queue_plugin.workers.min``.
        value: What was found there; None for an unknown key, whose value may be a secret meant for elsewhere.
        message: What is allowed instead.
        suggestion: The nearest key, or variable, that exists.

    """

    source: str
    path: str
    value: Any
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """The problem as one readable line."""
        hint = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        return f"{self.source}: {self.path}: {self.message}{hint}"

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values; a value that JSON does not know is given in words."""
        return {**asdict(self), "value": _as_json(self.value)}


def dotted(path: SettingPath) -> str:
    """``path`` as people write it."""
    return ".".join(path)


def nearest(path: SettingPath, known: Iterable[SettingPath]) -> SettingPath | None:
    """The path among ``known`` that was probably meant: one of a similar name, in the same section or in any other."""
    everywhere: dict[str, SettingPath] = {}
    beside: dict[str, SettingPath] = {}
    for candidate in sorted((named_as(path, general) for general in known), key=_is_general):
        everywhere.setdefault(candidate[-1], candidate)
        if candidate[:-1] == path[:-1]:
            beside[candidate[-1]] = candidate
    # A misspelt key is where it belongs, a misplaced one is spelt well; what is only a little similar is a guess.
    for names, likeness in ((beside, 0.8), (everywhere, 1.0), (beside, 0.6), (everywhere, 0.6)):
        for match in get_close_matches(path[-1], names, n=1, cutoff=likeness):
            return names[match]
    return None


def _is_general(path: SettingPath) -> bool:
    return ANY_NAME in path


def _as_json(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return shown(value)
    return value
