"""A job's place in its queue: priority, then the start; and no job waits for ever."""

from __future__ import annotations

import heapq
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model import decide
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.places import AGING_SECONDS, LAST, due_at, place_of, rank
from mcp_queue_plugin.model.states import PENDING_STATES, State
from tests.contract.samples import add
from tests.unit.model.jobs import at, job_in


def queued(priority: int = 0, *, since: float, version: int = 1) -> Job:
    """A job that was started then."""
    return decide.add(add("a", options=JobOptions(priority=priority)), uid=version, at=at(since, version))


def test_higher_priority_goes_first() -> None:
    jobs = [queued(priority, since=100.0, version=version) for version, priority in enumerate([0, -1, 7, 1])]
    assert [job.options.priority for job in sorted(jobs, key=lambda job: job.place)] == [7, 1, 0, -1]


def test_of_one_priority_the_earlier_start_goes_first() -> None:
    jobs = [queued(since=100.0, version=2), queued(since=99.0, version=3), queued(since=100.0, version=1)]
    assert [job.version for job in sorted(jobs, key=lambda job: job.place)] == [3, 1, 2]


@pytest.mark.parametrize("levels", [1, 2, 10])
def test_a_job_that_waits_longer_counts_as_a_level_higher_for_each_so_many_seconds(levels: int) -> None:
    older, limit = queued(0, since=0.0, version=1), levels * AGING_SECONDS
    assert older.place > queued(levels, since=limit - 0.001, version=2).place
    assert older.place < queued(levels, since=limit, version=2).place, "of equal ranks the earlier start goes first"
    assert older.place < queued(levels, since=limit + 0.001, version=2).place


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 10_000)), min_size=2, max_size=6, unique=True),
    st.floats(0, 1e6),
)
def test_the_order_of_waiting_jobs_never_changes_with_time(jobs: list[tuple[int, float]], later: float) -> None:
    """Each counts by its priority and the levels it has gained by waiting: at all times in the order of ranks."""

    def effective_priority(priority: int, since: float, now: float) -> float:
        return priority + (now - since) / AGING_SECONDS

    by_rank = sorted(jobs, key=lambda job: rank(JobOptions(priority=job[0]), job[1]))
    levels = [effective_priority(priority, since, 10_000 + later) for priority, since in by_rank]
    assert all(first >= second - 1e-6 for first, second in itertools.pairwise(levels))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-2, 3), (0, 20)])
def test_no_job_starves_in_a_queue_that_is_refilled_with_higher_ones_for_ever(low: int, high: int) -> None:
    """One slot, ten seconds for each job, and two new jobs of the higher priority whenever one has ended."""
    seconds_per_job, versions = 10.0, itertools.count(1)
    waiting: list[tuple[tuple[float, int], Job]] = []

    def start(priority: int, now: float) -> None:
        job = queued(priority, since=now, version=next(versions))
        heapq.heappush(waiting, (job.place, job))

    start(low, 0.0)
    now, runs = 0.0, 0
    while True:
        start(high, now)
        start(high, now)
        _, job = heapq.heappop(waiting)
        if job.options.priority == low:
            break
        now, runs = now + seconds_per_job, runs + 1
    bound = (high - low) * AGING_SECONDS
    assert runs >= bound / seconds_per_job, "the others went first while they counted higher"
    # Twice as much comes in as goes out: what stood before it when it drew level was started before that.
    assert now <= 2 * bound + seconds_per_job
    assert len(waiting) > runs


@pytest.mark.parametrize(
    ("options", "due"),
    [
        (JobOptions(), 100.0),
        (JobOptions(delay_seconds=0.0), 100.0),
        (JobOptions(delay_seconds=2.5), 102.5),
        (JobOptions(run_at=99.0), 100.0),
        (JobOptions(run_at=100.0), 100.0),
        (JobOptions(run_at=160.0), 160.0),
        (JobOptions(run_at=0.0), 100.0),
    ],
    ids=str,
)
def test_a_job_is_due_when_its_options_say_and_never_in_the_past(options: JobOptions, due: float) -> None:
    assert due_at(options, 100.0) == due


@pytest.mark.parametrize("state", sorted(PENDING_STATES))
def test_the_place_of_a_pending_job_is_its_own_or_the_one_it_would_get_now(state: State) -> None:
    job = job_in(state, JobOptions(priority=1), rank=7.0, order=3)
    if state is State.QUEUED:
        assert place_of(job, 5_000.0) == (7.0, 3)
    else:
        assert place_of(job, 5_000.0) == (5_000.0 - AGING_SECONDS, LAST)


def test_who_is_not_queued_yet_stands_behind_all_that_are_queued_now() -> None:
    newest = queued(since=5_000.0, version=10**15)
    assert place_of(job_in(State.SCHEDULED), 5_000.0) > newest.place


def test_a_clock_that_was_set_back_lets_nobody_overtake() -> None:
    waiting = queued(since=5_000.0, version=1)
    new = decide.add(add("b"), uid=2, at=Moment(now=1_400.0, rank_time=5_000.0, version=2))
    assert (new.queued_at, new.created_at) == (1_400.0, 1_400.0)
    assert waiting.place < new.place
