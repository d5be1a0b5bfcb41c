"""When a client that polls should look again."""

from __future__ import annotations

import msgspec
import pytest

from mcp_queue_plugin.model.pace import (
    POLL_MAX_SECONDS,
    POLL_MIN_SECONDS,
    SCHEDULED_POLL_MAX_SECONDS,
    poll_after_seconds,
)
from mcp_queue_plugin.model.states import ENDED_STATES, State
from tests.unit.model.jobs import job_in

SINCE = 1_000.0


@pytest.mark.parametrize(
    ("age", "seconds"), [(-3600.0, POLL_MIN_SECONDS), (0.0, 0.5), (20.0, 2.0), (99.0, 9.9), (1e6, POLL_MAX_SECONDS)]
)
@pytest.mark.parametrize("state", [State.QUEUED, State.WORKING])
def test_the_longer_it_takes_the_seldomer(state: State, age: float, seconds: float) -> None:
    job = msgspec.structs.replace(job_in(state), created_at=SINCE, started_at=None if state is State.QUEUED else SINCE)
    assert poll_after_seconds(job, SINCE + age) == seconds


@pytest.mark.parametrize(
    ("due_in", "seconds"),
    [
        (-5.0, POLL_MIN_SECONDS),
        (0.1, POLL_MIN_SECONDS),
        (7.26, 7.3),
        (30.0, 30.0),
        (3600.0, SCHEDULED_POLL_MAX_SECONDS),
    ],
)
def test_one_that_waits_for_its_time_is_looked_at_then(due_in: float, seconds: float) -> None:
    job = msgspec.structs.replace(job_in(State.SCHEDULED), created_at=SINCE - 5000, not_before=SINCE + due_in)
    assert poll_after_seconds(job, SINCE) == seconds


@pytest.mark.parametrize("state", sorted(ENDED_STATES))
def test_there_is_nothing_more_to_see_of_one_that_has_ended(state: State) -> None:
    assert poll_after_seconds(job_in(state), SINCE) == 0.0
