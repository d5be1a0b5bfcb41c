"""The progress of a job that reports none, by what its parameters announce."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.course import DURATION_MAX_SECONDS, STEPS_MAX, Course, announced_course

COURSES = st.builds(
    Course,
    st.floats(min_value=0, max_value=DURATION_MAX_SECONDS, exclude_min=True),
    st.integers(min_value=1, max_value=STEPS_MAX),
)
ELAPSED = st.floats(min_value=0, max_value=2 * DURATION_MAX_SECONDS)


@pytest.mark.parametrize(
    ("elapsed_seconds", "percent", "next_seconds"),
    [(0.0, 0, 15.0), (14.9, 0, 0.1), (15.0, 25, 15.0), (37.5, 50, 7.5), (59.99, 75, 0.1), (60.0, 99, None)],
)
def test_a_minute_in_four_steps(elapsed_seconds: float, percent: int, next_seconds: float | None) -> None:
    course = Course(60.0, 4)
    assert course.percent(elapsed_seconds) == percent
    assert course.next_step_seconds(elapsed_seconds) == pytest.approx(next_seconds)


def test_steps_that_follow_each_other_quickly_are_taken_together() -> None:
    assert Course(1.0, 1000).next_step_seconds(0.0) == 0.1


@given(COURSES, ELAPSED, ELAPSED)
def test_it_never_falls_and_never_says_that_all_is_done(course: Course, one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    assert 0 <= course.percent(earlier) <= course.percent(later) <= 99


@given(COURSES, ELAPSED)
def test_it_ends_after_the_last_step(course: Course, elapsed_seconds: float) -> None:
    wait = course.next_step_seconds(elapsed_seconds)
    assert (wait is None) == (elapsed_seconds >= course.duration_seconds)
    assert wait is None or wait >= 0.1


@pytest.mark.parametrize(
    ("params", "known", "course"),
    [
        ({"duration": 60, "steps": 10}, (), Course(60.0, 10)),
        ({"duration": 0.5, "steps": 1}, ("duration", "steps"), Course(0.5, 1)),
        ({"duration": 60}, ("duration", "steps"), Course(60.0, 10)),
        ({"duration": 60, "steps": None}, ("duration", "steps"), Course(60.0, 10)),
        ({"duration": 60}, ("duration",), None),
        ({"duration": 60, "steps": None}, (), None),
        ({"steps": 10}, ("duration", "steps"), None),
        ({"duration": None, "steps": 10}, ("duration", "steps"), None),
        ({}, ("duration", "steps"), None),
    ],
)
def test_both_have_to_be_announced(params: dict[str, Any], known: tuple[str, ...], course: Course | None) -> None:
    assert announced_course(params, known) == course


@pytest.mark.parametrize("duration", [0, -1, True, "60", float("nan"), float("inf"), 10**400, [60]])
def test_what_is_no_duration_announces_nothing(duration: Any) -> None:
    assert announced_course({"duration": duration, "steps": 10}, ()) is None


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "10", STEPS_MAX + 1])
def test_what_is_no_number_of_steps_announces_nothing(steps: Any) -> None:
    assert announced_course({"duration": 60, "steps": steps}, ()) is None
