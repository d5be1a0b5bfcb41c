"""How many jobs may lie ready in a worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.ready_jobs import READY_MAX, READY_SECONDS, UNKNOWN, pace_after, ready_jobs

SECONDS = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("pace_seconds", "jobs"),
    [(0.0, READY_MAX), (0.0001, READY_MAX), (0.0005, 6), (0.001, 3), (0.0015, 2), (0.003, 1), (1.0, 1), (UNKNOWN, 1)],
)
def test_as_many_lie_ready_as_are_done_in_no_time(pace_seconds: float, jobs: int) -> None:
    assert ready_jobs(pace_seconds) == jobs


@given(st.one_of(SECONDS, st.just(UNKNOWN)))
def test_a_worker_never_has_more_than_it_does_in_time_nor_none(pace_seconds: float) -> None:
    jobs = ready_jobs(pace_seconds)
    assert 1 <= jobs <= READY_MAX
    assert jobs == 1 or jobs * pace_seconds <= READY_SECONDS


@given(SECONDS, SECONDS)
def test_one_long_job_is_believed_at_once_and_one_short_job_by_half(pace_seconds: float, took_seconds: float) -> None:
    after = pace_after(pace_seconds, took_seconds)
    if took_seconds >= pace_seconds:
        assert after == took_seconds
    else:
        assert took_seconds <= after <= pace_seconds
        assert after == pytest.approx((pace_seconds + took_seconds) / 2)


def test_the_first_job_is_believed() -> None:
    assert pace_after(UNKNOWN, 0.25) == 0.25
