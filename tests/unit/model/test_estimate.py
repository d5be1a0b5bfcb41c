"""How long a job that runs is going to take."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.estimate import remaining_seconds


@pytest.mark.parametrize(
    ("progress", "since_start", "left"),
    [(0, 10.0, None), (50, 10.0, 10.0), (75, 30.0, 10.0), (99, 0.0, None), (50, -3.0, None), (100, 10.0, None)],
)
def test_it_goes_on_as_it_has_gone_so_far(progress: int, since_start: float, left: float | None) -> None:
    assert remaining_seconds(progress, since_start) == left
