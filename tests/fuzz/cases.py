"""How much is tried, and what is tried most: values that break what was not written with them in mind."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("MCP_QUEUE_FUZZ_CASES", "1000"))

fuzzing = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The settings of every test here; a failure prints how to repeat it."""

NASTY_TEXTS = ("", "\0", "\ud800", "\u202e", "a" * 201, "../../etc/passwd", "' OR 1=1 --", "%s%n", "é" * 200, " ")
NASTY_NUMBERS = (0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 5e-324, 0.5)

texts = st.sampled_from(NASTY_TEXTS) | st.text(st.characters(), max_size=30)
numbers = st.sampled_from(NASTY_NUMBERS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | numbers | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
