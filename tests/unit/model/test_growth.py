"""Growth is told from what a run needs once, and from chance."""

from __future__ import annotations

import random

import pytest

from mcp_queue_plugin.model.growth import Sample, trend_of


def trend(*values: float, tolerance: float = 1.0) -> tuple[float, bool]:
    judged = trend_of([Sample(10 * number, value) for number, value in enumerate(values)], tolerance=tolerance)
    return round(judged.growth, 6), judged.grows


def test_what_stays_the_same_does_not_grow() -> None:
    assert trend(*[7.0] * 10) == (0.0, False)


def test_what_rises_steadily_grows_by_what_it_rose_after_the_warm_up() -> None:
    assert trend(*range(11)) == (5.0, True)


def test_what_is_made_once_at_the_begin_does_not_count() -> None:
    assert trend(0, 20, 40, 50, 50, 50, 50, 50, 50) == (0.0, False)


def test_what_goes_up_and_down_does_not_grow() -> None:
    saw = [100 + step for _ in range(20) for step in range(5)]
    growth, grows = trend(*saw, tolerance=1.0)
    assert abs(growth) < 1
    assert not grows


def test_one_high_sample_is_no_growth() -> None:
    assert not trend(*[10.0] * 30, 14.0, *[10.0] * 10)[1]


def test_slow_growth_is_seen_through_noise() -> None:
    chance = random.Random(1)
    noisy = [100 + number * 0.1 + chance.uniform(-2, 2) for number in range(100)]
    assert trend(*noisy, tolerance=2.0)[1]


def test_what_shrinks_does_not_grow() -> None:
    assert trend(*range(20, 0, -1)) == (-9.0, False)


def test_growth_up_to_the_tolerance_is_put_down_to_chance() -> None:
    assert not trend(0, 1, 2, tolerance=1.0)[1]
    assert trend(0, 1, 2, tolerance=0.9)[1]


def test_the_first_the_last_and_the_highest_are_told() -> None:
    judged = trend_of([Sample(0, 3.0), Sample(1, 9.0), Sample(2, 5.0)], tolerance=100)
    assert (judged.first, judged.last, judged.highest) == (3.0, 5.0, 9.0)


@pytest.mark.parametrize("samples", [[Sample(5, 1.0)], [Sample(5, 1.0), Sample(5, 9.0)]])
def test_samples_of_one_moment_show_no_growth(samples: list[Sample]) -> None:
    assert trend_of(samples, tolerance=0.0).growth == 0.0


def test_without_samples_there_is_nothing_to_judge() -> None:
    with pytest.raises(ValueError, match="no samples"):
        trend_of([], tolerance=1.0)
