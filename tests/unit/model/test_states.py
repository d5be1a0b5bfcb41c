"""The words for where a job stands, and the table of what may follow."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.states import ENDED_STATES, FINISHED_STATES, PENDING_STATES, RUNNING_STATES, State, Status
from mcp_queue_plugin.model.transitions import TRANSITIONS, Event, allowed_from


def test_every_state_is_pending_running_or_ended() -> None:
    assert set(State) == PENDING_STATES | RUNNING_STATES | ENDED_STATES
    assert len(PENDING_STATES) + len(RUNNING_STATES) + len(ENDED_STATES) == len(State)
    assert {State.DELETED} == ENDED_STATES - FINISHED_STATES


@pytest.mark.parametrize("state", State)
def test_a_phase_details_a_status_that_has_several(state: State) -> None:
    if state in ENDED_STATES:
        assert state.status.value == state.value
        assert state.phase is None
    else:
        assert state.status is (Status.PENDING if state in PENDING_STATES else Status.RUNNING)
        assert state.phase == state.value


def test_every_status_has_a_state() -> None:
    assert {state.status for state in State} == set(Status)


def test_every_state_but_the_first_can_be_reached() -> None:
    reached = {state for following in TRANSITIONS.values() for state in following}
    assert reached == set(State) - {State.CREATED}


def test_nothing_follows_a_deletion() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.DELETED}


def test_after_a_stop_of_a_running_job_only_stopped_can_follow() -> None:
    following = {state for (before, _), after in TRANSITIONS.items() if before is State.STOPPING for state in after}
    assert following == {State.STOPPING, State.STOPPED}


@pytest.mark.parametrize("event", Event)
def test_every_event_happens_somewhere(event: Event) -> None:
    assert allowed_from(event)
    assert all((state, event) in TRANSITIONS for state in allowed_from(event))
