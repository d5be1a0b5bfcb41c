"""The head of a queue: what is known of it without asking the store, and when the store is asked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcp_queue_plugin.engine.lookahead import KEPT_JOBS, KEPT_PARAMS_BYTES, Lookahead
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.store.memory import MemoryStore
from tests.contract.samples import ManualClock, add, applied

DEPTH = 8


class CountingStore(MemoryStore):
    """Counts how often the queue was read."""

    reads = 0

    async def queued(self, queue: str, limit: int) -> Sequence[tuple[Job, bytes]]:
        self.reads += 1
        return await super().queued(queue, limit)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore(ManualClock())


@pytest.fixture
async def lookahead(store: CountingStore) -> Lookahead:
    await store.open()
    lookahead = Lookahead(store, queue="default", depth=DEPTH, is_claimed=lambda _: False)
    await lookahead.read(0)
    assert not lookahead.may_have_jobs
    return lookahead


async def queue(
    store: CountingStore, lookahead: Lookahead, job_id: str, priority: int = 0, params: bytes = b"{}"
) -> Job:
    job = await applied(store, add(job_id, options=JobOptions(priority=priority), params=params))
    lookahead.on_change(job, params)
    return job


async def queue_large(store: CountingStore, lookahead: Lookahead, count: int) -> None:
    """Jobs of which no more are kept than are read at once."""
    for number in range(count):
        await queue(store, lookahead, f"job {number}", params=bytes(KEPT_PARAMS_BYTES + 1))


async def test_a_new_job_at_the_end_of_a_known_queue_is_known_without_a_read(
    store: CountingStore, lookahead: Lookahead
) -> None:
    jobs = [await queue(store, lookahead, name) for name in "abc"]
    assert not lookahead.wants_more
    assert [lookahead.take() for _ in jobs] == [(job, b"{}") for job in jobs]
    assert store.reads == 1


async def test_one_that_goes_before_others_makes_it_read_again(store: CountingStore, lookahead: Lookahead) -> None:
    await queue(store, lookahead, "later")
    first = await queue(store, lookahead, "first", priority=9)
    assert lookahead.wants_more
    await lookahead.read(0)
    assert lookahead.take()[0] == first


async def test_of_a_queue_that_is_longer_only_the_head_is_known(store: CountingStore, lookahead: Lookahead) -> None:
    await queue_large(store, lookahead, DEPTH + 3)
    assert lookahead.demand(100).warm == DEPTH
    assert [lookahead.take()[0].job_id for _ in range(DEPTH)] == [f"job {number}" for number in range(DEPTH)]
    assert lookahead.wants_more


async def test_many_small_jobs_are_kept_as_they_are_told(store: CountingStore, lookahead: Lookahead) -> None:
    jobs = [await queue(store, lookahead, f"job {number}", params=bytes(KEPT_PARAMS_BYTES)) for number in range(100)]
    assert [lookahead.take()[0] for _ in jobs] == jobs
    assert not lookahead.may_have_jobs
    assert store.reads == 1


async def test_of_small_jobs_too_there_is_a_limit(store: CountingStore, lookahead: Lookahead) -> None:
    for number in range(KEPT_JOBS + 1):
        await queue(store, lookahead, f"job {number}")
    for _ in range(KEPT_JOBS):
        lookahead.take()
    assert lookahead.wants_more


async def test_it_runs_low_while_there_are_still_jobs_to_take(store: CountingStore, lookahead: Lookahead) -> None:
    await queue_large(store, lookahead, DEPTH + 1)
    seen = []
    for _ in range(DEPTH):
        seen.append(lookahead.runs_low)
        lookahead.take()
    assert seen == [False] * (DEPTH - DEPTH // 4 + 1) + [True] * (DEPTH // 4 - 1)
    assert lookahead.wants_more


async def test_it_does_not_run_low_when_nothing_is_left_to_read(store: CountingStore, lookahead: Lookahead) -> None:
    await queue(store, lookahead, "a")
    assert not lookahead.runs_low
    lookahead.take()
    assert not lookahead.runs_low


async def test_what_is_put_back_stands_where_it_stood(store: CountingStore, lookahead: Lookahead) -> None:
    for name in "abcd":
        await queue(store, lookahead, name)
    taken = [lookahead.take() for _ in range(3)]
    for job, params in (taken[1], taken[0], taken[2]):
        lookahead.put_back(job, params)
    assert [lookahead.take()[0].job_id for _ in "abcd"] == ["a", "b", "c", "d"]
    assert store.reads == 1


async def test_news_of_a_job_that_was_read_and_taken_meanwhile_does_not_bring_it_back(store: CountingStore) -> None:
    await store.open()
    claimed: list[Job] = []
    lookahead = Lookahead(store, queue="default", depth=DEPTH, is_claimed=claimed.__contains__)
    await lookahead.read(0)
    job = await applied(store, add("a", params=b"a"))
    await lookahead.read(0)
    assert lookahead.take()[0] == job
    claimed.append(job)
    lookahead.on_change(job, b"a")
    assert not lookahead.may_have_jobs


async def test_a_job_put_back_into_a_queue_of_which_nothing_is_known_is_read_in_its_place(
    store: CountingStore, lookahead: Lookahead
) -> None:
    await queue(store, lookahead, "a")
    taken = lookahead.take()
    urgent = await applied(store, add("urgent", options=JobOptions(priority=9), params=b"urgent"))
    lookahead.expect_more()
    lookahead.put_back(*taken)
    assert lookahead.wants_more
    await lookahead.read(0)
    assert [lookahead.take()[0].job_id for _ in range(2)] == [urgent.job_id, "a"]


async def test_a_large_job_among_many_small_ones_is_read(store: CountingStore, lookahead: Lookahead) -> None:
    small = [await queue(store, lookahead, f"job {number}") for number in range(DEPTH)]
    await queue(store, lookahead, "large", params=bytes(KEPT_PARAMS_BYTES + 1))
    assert [lookahead.take()[0] for _ in small] == small
    assert lookahead.wants_more


async def test_of_jobs_that_need_a_fresh_worker_no_more_are_kept_than_are_read(
    store: CountingStore, lookahead: Lookahead
) -> None:
    for number in range(DEPTH + 1):
        job = await applied(store, add(f"job {number}", options=JobOptions(isolation="fresh")))
        lookahead.on_change(job, b"{}")
    assert lookahead.demand(100).fresh == DEPTH


async def test_a_job_put_back_behind_those_that_are_known_is_read_if_others_may_stand_before_it(
    store: CountingStore, lookahead: Lookahead
) -> None:
    await queue(store, lookahead, "late")
    late = lookahead.take()
    first = await queue(store, lookahead, "first", priority=9)
    second = await applied(store, add("second", options=JobOptions(priority=8)))
    lookahead.expect_more()
    lookahead.put_back(*late)
    await lookahead.read(0)
    assert [lookahead.take()[0].job_id for _ in range(3)] == [first.job_id, second.job_id, "late"]
