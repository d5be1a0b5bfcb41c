"""How many workers there should be: over every small pool, against what the rules say in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from mcp_queue_plugin.model.scaling import (
    MEGABYTE,
    WORKER_BYTES,
    Census,
    Demand,
    Departure,
    Growth,
    Limits,
    Machine,
    WorkerRules,
    departure,
    growth,
    lacks_fresh,
    missing_workers,
    needs_successor,
    recycling_pause_seconds,
)

MUCH = 1 << 40
FEW = range(3)

LIMITS = [
    Limits(max_workers, min_workers, max_starting)
    for max_workers, max_starting in product((1, 2, 4), (1, 2))
    for min_workers in range(max_workers + 1)
]
DEMANDS = [Demand(warm, fresh) for warm, fresh in product((0, 1, 3), FEW)]


def censuses(limits: Limits) -> Iterator[Census]:
    """Every pool of up to two processes of each kind that the limits allow."""
    for kinds in product(FEW, FEW, FEW, FEW, FEW, FEW, range(2)):
        census = Census(*kinds)
        if census.alive + census.leaving <= limits.max_workers + 1:
            yield census


def jobs_without_worker(census: Census, demand: Demand) -> int:
    """Deal the workers that are free, or soon will be, to the jobs: used ones to warm jobs, the others to any."""
    warm = max(0, demand.warm - census.used)
    return max(0, warm + demand.fresh - census.unused - census.starting)


def is_of_use(limits: Limits, census: Census, demand: Demand) -> bool:
    return jobs_without_worker(census, demand) > 0 or census.staying < limits.min_workers


@pytest.mark.parametrize("limits", LIMITS)
def test_workers_start_one_by_one_as_long_as_they_are_of_use_and_fit(limits: Limits) -> None:
    for census, demand in product(censuses(limits), DEMANDS):
        grown = census
        while (
            is_of_use(limits, grown, demand)
            and grown.alive - grown.successor + grown.leaving < limits.max_workers
            and grown.starting < limits.max_starting
        ):
            grown = grown._replace(starting=grown.starting + 1)
        assert missing_workers(limits, census, demand) == grown.starting - census.starting


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("held_back", [False, True])
def test_a_successor_is_the_only_process_beyond_the_limit_and_starts_for_a_reason(
    limits: Limits, due: bool, held_back: bool
) -> None:
    for census, demand in product(censuses(limits), DEMANDS):
        processes = census.alive + census.leaving
        possible = not census.successor and processes <= limits.max_workers and census.starting < limits.max_starting
        cannot_grow = held_back or processes == limits.max_workers
        fresh_job_waits = demand.fresh > census.unused + census.starting
        place_is_awaited = census.parting > 0 and is_of_use(limits, census, demand)
        reason = due or (cannot_grow and (fresh_job_waits or place_is_awaited))
        assert needs_successor(limits, census, demand, due=due, held_back=held_back) == (possible and reason)


def test_a_pool_that_has_what_it_needs_starts_nothing() -> None:
    limits = Limits(max_workers=4, min_workers=2, max_starting=2)
    for census in (Census(used=2), Census(unused=1, busy=1), Census(busy=4), Census(starting=2)):
        assert missing_workers(limits, census, Demand()) == 0
        assert not needs_successor(limits, census, Demand(), due=False, held_back=False)


@pytest.mark.parametrize(
    ("census", "demand", "lacking"),
    [
        (Census(used=3), Demand(fresh=1), True),
        (Census(unused=1), Demand(fresh=1), False),
        (Census(starting=1), Demand(fresh=1), False),
        (Census(unused=1, starting=1), Demand(fresh=3), True),
        (Census(successor=1), Demand(fresh=1), True),
        (Census(), Demand(warm=9), False),
    ],
)
def test_a_fresh_job_lacks_a_worker_unless_an_unused_one_is_there_or_coming(
    census: Census, demand: Demand, lacking: bool
) -> None:
    assert lacks_fresh(census, demand) is lacking


def rules(free_mb: int = 0, load: float | None = None) -> WorkerRules:
    return WorkerRules(min_free_memory_bytes=free_mb * MEGABYTE, max_load_per_core=load)


@pytest.mark.parametrize(
    ("census", "spare_workers", "allowed"),
    [
        (Census(), -9, 1),
        (Census(leaving=3), -9, 1),
        (Census(used=1), -9, 0),
        (Census(parting=1), -9, 0),
        (Census(successor=1), -9, 0),
        (Census(used=1), 0, 0),
        (Census(used=1), 1, 1),
        (Census(used=1), 2, 2),
        (Census(used=1), 3, 3),
        (Census(used=1), 4, 3),
        (Census(starting=1), 2, 1),
        (Census(starting=1, successor=1), 2, 0),
        (Census(starting=2), 1, 0),
    ],
)
def test_memory_allows_as_many_workers_as_it_holds_and_always_the_first(
    census: Census, spare_workers: int, allowed: int
) -> None:
    available = 256 * MEGABYTE + spare_workers * WORKER_BYTES
    found = growth(3, rules(free_mb=256), census, Machine(available, 99.0))
    assert found.workers == allowed
    reason = f"memory: {available // MEGABYTE} MB are available, and min_free_memory_mb, 256, are to stay free"
    assert found.held_back_by == (None if allowed == 3 else reason)


@pytest.mark.parametrize(
    ("alive", "wanted", "load", "found"),
    [
        (1, 2, 1.5, Growth(2)),
        (1, 2, 1.51, Growth(0, "load: 1.51 per core, more than max_load_per_core, 1.5")),
        (0, 2, 1.51, Growth(1, "load: 1.51 per core, more than max_load_per_core, 1.5")),
        (0, 1, 9.0, Growth(1)),
    ],
)
def test_load_allows_all_or_only_the_first(alive: int, wanted: int, load: float, found: Growth) -> None:
    assert growth(wanted, rules(load=1.5), Census(busy=alive), Machine(MUCH, load)) == found


def test_without_rules_the_machine_does_not_matter() -> None:
    assert growth(7, rules(), Census(busy=1), Machine(0, 1000.0)) == Growth(7)


@pytest.mark.parametrize("staying", range(6))
@pytest.mark.parametrize("min_workers", range(4))
@pytest.mark.parametrize("idle_since", [(), (0.0,), (3.0, 5.0), (5.0, 5.0), (1.0, 5.0, 6.0), (6.0, 7.0, 8.0, 9.0)])
def test_the_longest_idle_leave_until_the_minimum_is_left(
    idle_since: tuple[float, ...], staying: int, min_workers: int
) -> None:
    left = list(idle_since)
    gone = 0
    while left and staying - gone > min_workers and left[0] + 10.0 <= 15.0:
        left.pop(0)
        gone += 1
    next_time = left[0] + 10.0 if left and staying - gone > min_workers else None
    found = departure(idle_since, staying=staying, min_workers=min_workers, idle_timeout_seconds=10.0, now=15.0)
    assert found == Departure(gone, next_time)


def test_successors_start_for_a_twentieth_of_the_time() -> None:
    assert recycling_pause_seconds(0.5) == pytest.approx(9.5)
