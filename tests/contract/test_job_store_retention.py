"""What every store promises of sweeps: what is over is removed, oldest first, and nothing that lives."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Delete, Done, EndingKind, Operation, Retry, Stop, Sweep
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.states import Status
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import (
    NOTHING_WRITTEN,
    add,
    adopt,
    applied,
    claim,
    done,
    everything,
    finish,
    refused,
    run_new,
)

HOUR = 3600.0


def finished(limit: int = 100) -> Sweep:
    return Sweep(tombstones=False, age_seconds=HOUR, limit=limit)


def tombstones(limit: int = 100) -> Sweep:
    return Sweep(tombstones=True, age_seconds=HOUR, limit=limit)


async def one_of_each(store: JobStore) -> None:
    """A job in each state, named after it."""
    for kind in (EndingKind.COMPLETED, EndingKind.FAILED, EndingKind.STOPPED):
        job = await run_new(store, kind.value)
        await applied(store, finish(job.token, kind, result=b"1", log=(LogPiece("stdout", 1.0, b"x", False),)))
    await run_new(store, "working")
    await run_new(store, "stopping")
    await store.apply(
        [
            Stop("stopping"),
            add("deleted"),
            Delete("deleted"),
            add("created", start=False),
            add("queued"),
            add("scheduled", options=JobOptions(delay_seconds=9 * HOUR)),
            adopt("adopted"),
        ]
    )


async def ids(store: JobStore) -> set[str]:
    pages = [await store.list_jobs(JobQuery(status=status)) for status in (None, Status.DELETED)]
    return {job.job_id for page in pages for job in page.jobs}


LIVING = {"working", "stopping", "created", "queued", "scheduled", "adopted"}


async def test_a_sweep_removes_finished_jobs_and_nothing_else(bench: Bench) -> None:
    store = bench.store
    await one_of_each(store)
    bench.clock.now += HOUR
    assert await done(store, finished()) == Done(removed=3)
    assert await ids(store) == {*LIVING, "deleted"}
    assert (await store.counts()).by_state == {
        "working": 2,
        "stopping": 1,
        "created": 1,
        "queued": 1,
        "scheduled": 1,
        "deleted": 1,
    }


async def test_another_sweep_removes_tombstones_and_nothing_else(bench: Bench) -> None:
    store = bench.store
    await one_of_each(store)
    bench.clock.now += HOUR
    assert await done(store, tombstones()) == Done(removed=1)
    assert await ids(store) == {*LIVING, "completed", "failed", "stopped"}


@pytest.mark.parametrize("sweep", [finished(), tombstones()], ids=["finished", "tombstones"])
async def test_nothing_is_removed_before_its_time(bench: Bench, sweep: Sweep) -> None:
    store = bench.store
    await one_of_each(store)
    bench.clock.now += HOUR - 0.001
    before = await everything(store)
    assert await done(store, sweep) == Done(removed=0)
    assert await everything(store) == before


@pytest.mark.parametrize("sweep", [finished(), tombstones()], ids=["finished", "tombstones"])
async def test_a_clock_that_was_set_back_removes_nothing(bench: Bench, sweep: Sweep) -> None:
    bench.clock.now += 2 * HOUR
    await one_of_each(bench.store)
    bench.clock.now -= HOUR
    assert (await done(bench.store, sweep)).removed == 0


async def test_a_tombstone_is_as_old_as_its_deletion(bench: Bench) -> None:
    store = bench.store
    job = await run_new(store, "a")
    await applied(store, finish(job.token))
    bench.clock.now += HOUR - 1
    await applied(store, Delete("a"))
    bench.clock.now += 1
    assert (await done(store, finished())).removed == 0
    assert (await done(store, tombstones())).removed == 0
    bench.clock.now += HOUR - 1
    assert (await done(store, tombstones())).removed == 1


async def test_so_many_at_once_those_first_that_are_over_longest(bench: Bench) -> None:
    store = bench.store
    await store.apply([add(name) for name in "abcd"])
    for name in "cabd":
        bench.clock.now += 1
        await applied(store, Stop(name))
    bench.clock.now += HOUR
    assert await done(store, finished(2)) == Done(removed=2, more=True)
    assert await ids(store) == {"b", "d"}
    assert await done(store, finished(2)) == Done(removed=2, more=False)
    assert await done(store, finished(2)) == Done(removed=0, more=False)


async def test_a_group_that_only_sweeps_is_kept(bench: Bench) -> None:
    job = await run_new(bench.store, "a")
    await applied(bench.store, finish(job.token))
    bench.clock.now += HOUR
    assert (await done(bench.store, finished())).removed == 1
    await bench.restart()
    assert (await bench.store.counts()).by_state == {}
    assert await ids(bench.store) == set()
    new = await applied(bench.store, add("b"))
    assert new.uid > job.uid


async def test_nothing_of_a_removed_job_is_left(bench: Bench) -> None:
    store = bench.store
    job = await run_new(store, "a")
    await applied(store, finish(job.token, result=b"1", log=(LogPiece("stdout", 1.0, b"x", False),)))
    bench.clock.now += HOUR
    await done(store, finished())
    assert await store.get("a") is None
    assert await store.result(job.uid) is None
    assert await store.log_page(job.uid, LogQuery()) == NOTHING_WRITTEN
    await refused(store, Retry(job_id="a"))
    new = await applied(store, add("a"))
    assert new.uid > job.uid
    assert await store.result(new.uid) is None


async def test_the_tombstone_of_an_id_goes_and_its_next_job_stays(bench: Bench) -> None:
    store = bench.store
    group: list[Operation] = [add("a"), Delete("a"), add("a")]
    await store.apply(group)
    bench.clock.now += HOUR
    assert (await done(store, tombstones())).removed == 1
    (job,) = await claim(store)
    assert await store.get("a") == job


async def test_a_retried_job_is_not_removed(bench: Bench) -> None:
    store = bench.store
    job = await run_new(store, "a")
    await applied(store, finish(job.token, EndingKind.FAILED))
    bench.clock.now += HOUR
    await applied(store, Retry(job_id="a"))
    assert (await done(store, finished())).removed == 0
    (again,) = await claim(store)
    await applied(store, finish(again.token))
    assert (await done(store, finished())).removed == 0, "its time begins anew"


async def test_what_is_removed_leaves_its_queue_as_it_was(bench: Bench) -> None:
    store = bench.store
    job = await run_new(store, "a")
    await applied(store, finish(job.token))
    before = await store.queues()
    bench.clock.now += HOUR
    await done(store, finished())
    assert await store.queues() == before
