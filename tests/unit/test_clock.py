"""Times as clients read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from mcp_queue_plugin.clock import iso8601


@given(st.floats(-1e9, 4e9))
@example(0.0)
@example(1_764_230_400.9999996)
@example(1_764_230_400.9995)
def test_a_time_is_told_as_python_tells_it(seconds: float) -> None:
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    assert iso8601(seconds) == told.removesuffix("+00:00") + "Z"


def test_no_time_is_none() -> None:
    assert iso8601(None) is None
