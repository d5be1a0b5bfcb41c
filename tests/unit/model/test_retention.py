"""How long what is over is kept, and how often to look."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.operations import Sweep
from mcp_queue_plugin.model.retention import is_over, over_since, sweep_interval_seconds
from mcp_queue_plugin.model.states import FINISHED_STATES, State
from tests.unit.model.jobs import job_in


@pytest.mark.parametrize(
    ("retention", "interval"),
    [(0, 1), (1, 1), (5.9, 1), (6, 1), (6.6, 1.1), (60, 10), (21_600, 3_600), (21_599.4, 3_599.9), (10**9, 3_600)],
)
def test_a_sweep_every_sixth_of_the_retention_hourly_at_least_and_every_second_at_most(
    retention: float, interval: float
) -> None:
    assert sweep_interval_seconds(retention) == pytest.approx(interval)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("tombstones", [False, True])
def test_a_sweep_removes_finished_jobs_or_tombstones_and_nothing_that_lives(state: State, tombstones: bool) -> None:
    job = job_in(state, completed_at=40.0, deleted_at=50.0 if state is State.DELETED else None)
    sweep = Sweep(tombstones=tombstones, age_seconds=10.0, limit=1)
    swept = state is State.DELETED if tombstones else state in FINISHED_STATES
    assert is_over(job, sweep, 1_000.0) is swept


@pytest.mark.parametrize(
    ("state", "since"), [(State.DELETED, 50.0), (State.COMPLETED, 40.0), (State.FAILED, 40.0), (State.STOPPED, 40.0)]
)
def test_a_tombstone_is_as_old_as_its_deletion_and_a_finished_job_as_its_end(state: State, since: float) -> None:
    job = job_in(state, completed_at=40.0, deleted_at=50.0 if state is State.DELETED else None)
    sweep = Sweep(tombstones=state is State.DELETED, age_seconds=10.0, limit=1)
    assert over_since(job) == since
    assert [is_over(job, sweep, since + age) for age in (-3600.0, 0.0, 9.9, 10.0, 10.1)] == [False] * 3 + [True] * 2


def test_a_job_that_has_not_ended_is_over_since_never() -> None:
    assert over_since(job_in(State.WORKING)) is None
