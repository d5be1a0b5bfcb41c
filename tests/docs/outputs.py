"""Whether an output is what a page shows of it."""

from __future__ import annotations

import doctest
import json
from typing import Any

ANYTHING = "..."
"""Shown in place of what differs from run to run: in text as with doctest, in JSON as a value, a last item or a key."""

_TEXT_RULES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def text_matches(shown: str, output: str) -> bool:
    """Whether ``output`` is the ``shown`` text; white space does not count."""
    return doctest.OutputChecker().check_output(shown, output, _TEXT_RULES)


def json_matches(shown: Any, output: Any) -> bool:
    """Whether ``output`` is the ``shown`` JSON value."""
    if shown == ANYTHING:
        return True
    if isinstance(shown, dict) and isinstance(output, dict):
        named = {key: value for key, value in shown.items() if key != ANYTHING}
        keys_match = named.keys() <= output.keys() if ANYTHING in shown else named.keys() == output.keys()
        return keys_match and all(json_matches(value, output[key]) for key, value in named.items())
    if isinstance(shown, list) and isinstance(output, list):
        named_items = shown[:-1] if shown[-1:] == [ANYTHING] else shown
        length_matches = len(named_items) == len(output) if named_items is shown else len(named_items) <= len(output)
        return length_matches and all(map(json_matches, named_items, output))
    return bool(shown == output and type(shown) is type(output))


def require_text(shown: str, output: str) -> None:
    """Fail unless ``text_matches``."""
    assert text_matches(shown, output), f"the output is not what the page shows:\n{output}"


def require_json(shown: str, output: str) -> None:
    """Fail unless both are JSON documents and ``json_matches``."""
    pretty = json.dumps(json.loads(output), indent=2)
    assert json_matches(json.loads(shown), json.loads(output)), f"the output is not what the page shows:\n{pretty}"
