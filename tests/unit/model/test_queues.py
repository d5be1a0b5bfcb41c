"""When a queue may go on: its pause, its backoff, its slots, and what a clock that jumps does to them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.queues import (
    UNLIMITED,
    QueueRule,
    QueueState,
    at_opening,
    backoff_seconds,
    free_slots,
    opens_in_seconds,
)

HOUR = 3600.0
LLM = QueueRule(max_concurrent_jobs=1, min_pause_seconds=10, backoff_base_seconds=15, backoff_max_seconds=300)


def ended(at: float = 100.0, failures: int = 0) -> QueueState:
    return QueueState(name="llm", ended_at=at, consecutive_failures=failures)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 0), (2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (7, 300), (8, 300), (10**9, 300)],
)
def test_the_backoff_doubles_from_the_second_failure_on_up_to_its_maximum(failures: int, seconds: float) -> None:
    assert backoff_seconds(LLM, failures) == seconds


def test_a_queue_without_backoff_never_backs_off() -> None:
    assert {backoff_seconds(QueueRule(), failures) for failures in (0, 1, 2, 50, 10**9)} == {0.0}


def test_a_backoff_may_begin_at_its_maximum() -> None:
    assert backoff_seconds(QueueRule(backoff_base_seconds=600, backoff_max_seconds=300), 2) == 300


def test_a_queue_in_which_nothing_has_ended_waits_for_nothing() -> None:
    assert opens_in_seconds(LLM, QueueState(name="llm"), 0.0) == 0.0


@pytest.mark.parametrize(
    ("later", "seconds"), [(0.0, 10.0), (2.5, 7.5), (9.875, 0.125), (10.0, 0.0), (11.0, 0.0), (HOUR, 0.0)]
)
def test_the_pause_runs_from_the_end_of_one_job_to_the_start_of_the_next(later: float, seconds: float) -> None:
    assert opens_in_seconds(LLM, ended(100.0), 100.0 + later) == seconds
    assert free_slots(LLM, ended(100.0), 0, 100.0 + later) == (1 if seconds == 0 else 0)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 10), (1, 10), (2, 25), (3, 40), (9, 310)])
def test_pause_and_backoff_add_up(failures: int, seconds: float) -> None:
    assert opens_in_seconds(LLM, ended(100.0, failures), 100.0) == seconds
    assert opens_in_seconds(LLM, ended(100.0, failures), 100.0 + seconds) == 0.0


@pytest.mark.parametrize(
    ("pause", "backoff", "paced"), [(0.0, 0.0, False), (1.0, 0.0, True), (0.0, 1.0, True), (1.0, 1.0, True)]
)
def test_a_paced_queue_is_one_that_may_wait_after_a_job(pause: float, backoff: float, paced: bool) -> None:
    rule = QueueRule(min_pause_seconds=pause, backoff_base_seconds=backoff)
    assert rule.paced is paced
    assert (opens_in_seconds(rule, ended(100.0, 2), 100.0) > 0) is paced


@given(failures=st.integers(0, 100), jump=st.floats(-HOUR, HOUR))
def test_after_no_jump_of_the_clock_a_queue_waits_longer_than_it_was_meant_to(failures: int, jump: float) -> None:
    state = ended(10_000.0, failures)
    longest = opens_in_seconds(LLM, state, 10_000.0)
    waited = opens_in_seconds(LLM, state, 10_000.0 + jump)
    assert 0.0 <= waited <= longest
    rounding = 5e-7 if waited else 0.0
    assert opens_in_seconds(LLM, state, 10_000.0 + jump + waited + rounding) == 0.0


def test_an_end_in_the_future_does_not_stall_a_queue() -> None:
    """The clock was set back an hour: waiting for it to come round again would take as long."""
    assert opens_in_seconds(LLM, ended(100.0 + HOUR), 100.0) == 0.0


def test_a_wait_that_began_in_the_future_begins_when_the_store_is_opened() -> None:
    assert opens_in_seconds(LLM, at_opening(ended(100.0 + HOUR), 100.0), 104.0) == 6.0
    for state in (QueueState(name="llm"), ended(99.0), ended(100.0)):
        assert at_opening(state, 100.0) is state


@pytest.mark.parametrize(
    ("most", "running", "free"), [(1, 0, 1), (1, 1, 0), (1, 2, 0), (4, 1, 3), (4, 9, 0), (None, 5, UNLIMITED - 5)]
)
def test_a_queue_runs_so_many_jobs_at_once(most: int | None, running: int, free: int) -> None:
    assert free_slots(QueueRule(max_concurrent_jobs=most), QueueState(name="llm"), running, 0.0) == free


@pytest.mark.parametrize(("running", "is_open"), list(itertools.product([0, 1], [False, True])))
def test_a_paused_queue_starts_nothing(running: int, is_open: bool) -> None:
    state = QueueState(name="llm", paused=True, ended_at=None if is_open else 100.0)
    assert free_slots(QueueRule(max_concurrent_jobs=9, min_pause_seconds=5), state, running, 100.0) == 0


def test_more_slots_do_not_shorten_a_pause() -> None:
    rule = QueueRule(max_concurrent_jobs=9, min_pause_seconds=5)
    assert free_slots(rule, ended(100.0), 0, 104.9) == 0
    assert free_slots(rule, ended(100.0), 3, 105.0) == 6
