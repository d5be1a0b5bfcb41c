"""What a job costs here beside what ProcessPoolExecutor, which keeps nothing, takes in the same run.

Ratios and no times, since machines differ, and the best of alternating rounds, since they also have other things to do.
What is asked for is about half of what is usual: it fails when something has become slow, and not on a bad day.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.rounds import Outcome, outcomes

OURS, POOL = SYSTEMS = ("ours", "process-pool")
ROUNDS = 3
SECONDS = 0.5

BURST = "burst_256_jobs_per_second"
IDLE = "idle_p50_ms"

LEAST_SHARE_OF_THROUGHPUT = 0.22
MOST_TIMES_THE_IDLE_LATENCY = 25.0


@pytest.fixture(scope="module")
def measured() -> list[Outcome]:
    found = list(outcomes(SYSTEMS, ("throughput", "idle"), ROUNDS, SECONDS, workers=2))
    assert [outcome.error for outcome in found] == [None] * (ROUNDS * len(SYSTEMS))
    return found


def best(measured: list[Outcome], system: str, figure: str, of: Callable[[list[float]], float]) -> float:
    return of([outcome.figures[figure] for outcome in measured if outcome.system == system])


def test_throughput_keeps_its_share_of_a_bare_pools(measured: list[Outcome]) -> None:
    share = best(measured, OURS, BURST, max) / best(measured, POOL, BURST, max)
    assert share >= LEAST_SHARE_OF_THROUGHPUT


def test_an_idle_queue_answers_within_so_many_times_a_bare_pools_latency(measured: list[Outcome]) -> None:
    times = best(measured, OURS, IDLE, min) / best(measured, POOL, IDLE, min)
    assert times <= MOST_TIMES_THE_IDLE_LATENCY
