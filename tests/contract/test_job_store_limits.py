"""What every store promises of limits: who is evicted for a new or a retried job, and when it is refused."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.admission import EVICTED, Full, Limit
from mcp_queue_plugin.model.operations import (
    Add,
    Applied,
    Delete,
    EndingKind,
    Operation,
    Refusal,
    Refused,
    Retry,
    Start,
    Stop,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import add, adopt, applied, claim, everything, finish, outcome, refused, run_new, submission

TWO = Limit(scope="all", max_jobs=2)
REJECT = Limit(scope="all", max_jobs=2, overflow="reject")


async def evicted(store: JobStore, operation: Add | Retry) -> list[str]:
    """The ids of those who had to go, as the operation answers them."""
    found = await outcome(store, operation)
    assert isinstance(found, Applied)
    for gone in found.evicted:
        assert gone.job == await store.get(gone.job.job_id)
    return [gone.job.job_id for gone in found.evicted]


async def is_full(store: JobStore, operation: Add | Retry, full: Full) -> None:
    """It is refused, and nothing has changed."""
    before = await everything(store)
    assert await outcome(store, operation) == Refused(Refusal.QUEUE_FULL, full=full)
    assert await everything(store) == before


async def test_nobody_goes_while_there_is_room(store: JobStore) -> None:
    assert await evicted(store, add("a", limits=(TWO,))) == []
    assert await evicted(store, add("b", limits=(TWO,))) == []


async def test_the_oldest_is_stopped_for_a_new_one(bench: Bench) -> None:
    store = bench.store
    first, _ = await applied(store, add("a")), await applied(store, add("b"))
    bench.clock.now += 5
    new = await outcome(store, add("c", limits=(TWO,)))
    assert isinstance(new, Applied)
    (gone,) = new.evicted
    assert (gone.job.job_id, gone.before, gone.job.state) == ("a", State.QUEUED, State.STOPPED)
    assert (gone.job.reason, gone.job.completed_at) == (EVICTED, 1_005.0)
    assert first.version < gone.job.version < new.job.version
    assert await store.get("a") == gone.job, "it stays, like any finished job"
    assert [job.job_id for job in await claim(store)] == ["b", "c"]
    assert (await store.counts()).by_state == {"working": 2, "stopped": 1}


@pytest.mark.parametrize("start", [False, True])
async def test_every_pending_job_can_go(store: JobStore, start: bool) -> None:
    later = JobOptions(delay_seconds=60)
    await store.apply([add("created", start=False), add("scheduled", options=later), add("queued")])
    limit = Limit(scope="all", max_jobs=3)
    for job_id in ("created", "scheduled", "queued"):
        assert await evicted(store, add(f"instead of {job_id}", start=start, limits=(limit,))) == [job_id]
    assert await store.next_due() is None


async def test_a_running_job_is_asked_to_stop_and_the_new_one_does_not_wait_for_it(store: JobStore) -> None:
    old = await run_new(store, "old")
    await run_new(store, "young")
    assert await evicted(store, add("new", limits=(TWO,))) == ["old"]
    stopping = await store.get("old")
    assert stopping is not None
    assert (stopping.state, stopping.reason) == (State.STOPPING, EVICTED)
    assert await evicted(store, add("newer", limits=(TWO,))) == ["new"], "one that was asked to stop has made room"
    stopped = await applied(store, finish(old.token, result=b"late"))
    assert (stopped.state, stopped.reason) == (State.STOPPED, EVICTED)


async def test_one_that_was_asked_to_stop_is_passed_over(store: JobStore) -> None:
    await run_new(store, "stopping")
    await run_new(store, "working")
    await applied(store, Stop("stopping"))
    assert await evicted(store, add("new", limits=(Limit(scope="all", max_jobs=1),))) == ["working"]


async def test_an_evicted_job_that_is_deleted_while_it_runs_is_deleted(store: JobStore) -> None:
    job = await run_new(store, "old")
    assert await evicted(store, add("new", limits=(Limit(scope="all", max_jobs=1),))) == ["old"]
    assert (await applied(store, Delete("old"))).delete_requested
    await applied(store, finish(job.token))
    tombstone = await applied(store, Delete("old", EVICTED))
    assert (tombstone.state, tombstone.reason) == (State.DELETED, EVICTED)


async def test_a_pending_job_goes_before_an_older_one_that_runs(store: JobStore) -> None:
    await run_new(store, "running")
    await applied(store, add("pending"))
    assert await evicted(store, add("new", limits=(TWO,))) == ["pending"]


async def test_nobody_goes_for_another_owner(store: JobStore) -> None:
    await store.apply([add("ann's", owner="ann"), add("nobody's")])
    await is_full(store, add("bob's", owner="bob", limits=(TWO,)), Full(TWO, 2))
    assert await evicted(store, add("nobody's too", limits=(TWO,))) == ["nobody's"]
    assert await evicted(store, add("ann's too", owner="ann", limits=(TWO,))) == ["ann's"]


async def test_a_limit_may_reject(store: JobStore) -> None:
    await applied(store, add("a", limits=(REJECT,)))
    await applied(store, add("b", limits=(REJECT,)))
    await is_full(store, add("c", limits=(REJECT,)), Full(REJECT, 2))
    await applied(store, Stop("a"))
    await applied(store, add("c", limits=(REJECT,)))


async def test_a_refusal_spares_those_who_would_go_for_another_limit(store: JobStore) -> None:
    narrow = Limit(scope="command", name="echo", max_jobs=1)
    await store.apply([add("a"), add("b", owner="ann")])
    await is_full(store, add("c", limits=(narrow, REJECT)), Full(narrow, 2))
    limits = (Limit(scope="command", name="echo", max_jobs=2), Limit(scope="all", max_jobs=1))
    await is_full(store, add("c", limits=limits), Full(limits[1], 2))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit(scope="command", name="echo", max_jobs=1), ["echo in llm"]),
        (Limit(scope="job_type", name="csv", max_jobs=1), ["csv"]),
        (Limit(scope="queue", name="llm", max_jobs=1), ["echo in llm"]),
        (Limit(scope="all", max_jobs=3), ["sum"]),
    ],
    ids=lambda value: value.scope if isinstance(value, Limit) else "",
)
async def test_a_limit_counts_and_evicts_its_own(store: JobStore, limit: Limit, expected: list[str]) -> None:
    llm = JobOptions(queue="llm")
    for new in (
        submission("sum", command="sum"),
        submission("csv", job_type="csv", command=None),
        submission("echo in llm", options=llm),
    ):
        await applied(store, Add(submission=new, params=b"", start=True))
    assert await evicted(store, add("new", options=llm, limits=(limit,))) == expected


async def test_who_goes_for_a_narrow_limit_counts_for_a_wide_one(store: JobStore) -> None:
    await applied(store, Add(submission=submission("sum", command="sum"), params=b"", start=True))
    await applied(store, add("echo"))
    narrow = Limit(scope="command", name="echo", max_jobs=1)
    assert await evicted(store, add("new", limits=(narrow, TWO))) == ["echo"]


async def test_several_go_when_a_limit_was_lowered(store: JobStore) -> None:
    await run_new(store, "running")
    await store.apply([add(f"job {number}") for number in range(4)])
    assert await evicted(store, add("new", limits=(TWO,))) == ["job 0", "job 1", "job 2", "job 3"]
    assert await evicted(store, add("newer", limits=(Limit(scope="all", max_jobs=1),))) == ["new", "running"]


async def test_a_group_counts_what_it_has_changed_itself(store: JobStore) -> None:
    group: dict[str, Operation] = {
        "takes the first place": add("a", limits=(REJECT,)),
        "takes the second": add("b", limits=(REJECT,)),
        "finds none": add("c", limits=(REJECT,)),
        "frees one": Stop("a"),
        "takes it": add("d", limits=(REJECT,)),
        "evicts b": add("e", limits=(TWO,)),
        "frees another": Delete("d"),
        "takes that": add("f", limits=(REJECT,)),
        "finds none any more": add("g", limits=(REJECT,)),
    }
    outcomes = dict(zip(group, await store.apply(list(group.values())), strict=True))
    full = [done for done, found in outcomes.items() if found == Refused(Refusal.QUEUE_FULL, full=Full(REJECT, 2))]
    assert full == ["finds none", "finds none any more"]
    assert [job.job_id for job in await claim(store)] == ["e", "f"]
    assert (await store.counts()).by_state == {"working": 2, "stopped": 2, "deleted": 1}


async def test_a_job_that_ended_or_was_deleted_makes_room(store: JobStore) -> None:
    job = await run_new(store, "a")
    await applied(store, add("b"))
    assert await refused(store, add("c", limits=(REJECT,))) == (Refusal.QUEUE_FULL, None)
    await applied(store, finish(job.token))
    await applied(store, add("c", limits=(REJECT,)))
    await applied(store, Delete("b"))
    assert await evicted(store, add("d", limits=(REJECT,))) == []


async def test_an_adopted_job_counts_and_is_never_refused(store: JobStore) -> None:
    await store.apply([adopt("a"), adopt("b"), adopt("c")])
    assert await evicted(store, add("d", limits=(TWO,))) == ["a", "b"]


async def test_a_living_id_costs_nobody_its_place(store: JobStore) -> None:
    await store.apply([add("a"), add("b")])
    before = await everything(store)
    await refused(store, add("b", limits=(TWO,)))
    assert await everything(store) == before


async def test_a_retried_job_needs_room_like_a_new_one(store: JobStore) -> None:
    job = await run_new(store, "failed")
    await applied(store, finish(job.token, EndingKind.FAILED))
    await store.apply([add("a"), add("b")])
    await is_full(store, Retry(job_id="failed", limits=(REJECT,)), Full(REJECT, 2))
    assert await evicted(store, Retry(job_id="failed", limits=(TWO,))) == ["a"]
    retried = await store.get("failed")
    assert retried is not None
    assert (retried.state, retried.order) == (State.QUEUED, retried.version)
    assert [job.job_id for job in await claim(store)] == ["b", "failed"]


async def test_for_a_retried_job_its_owners_jobs_go(store: JobStore) -> None:
    await store.apply([add("old", owner="ann"), Stop("old"), add("bob's", owner="bob"), add("nobody's")])
    await is_full(store, Retry(job_id="old", limits=(TWO,)), Full(TWO, 2))
    await store.apply([Stop("nobody's"), add("ann's", owner="ann")])
    assert await evicted(store, Retry(job_id="old", limits=(TWO,))) == ["ann's"]


async def test_a_retried_job_that_has_ended_takes_no_place_of_its_own(store: JobStore) -> None:
    await applied(store, add("a"))
    await applied(store, Stop("a"))
    assert await evicted(store, Retry(job_id="a", limits=(Limit(scope="all", max_jobs=1, overflow="reject"),))) == []


async def test_an_evicted_job_can_be_retried_and_evicts_in_turn(store: JobStore) -> None:
    await store.apply([add("a"), add("b")])
    assert await evicted(store, add("c", limits=(TWO,))) == ["a"]
    assert await evicted(store, Retry(job_id="a", limits=(TWO,))) == ["b"]
    assert await evicted(store, add("d", limits=(TWO,))) == ["a"], "the oldest job is the one that was added first"


async def test_a_start_needs_no_room_for_its_job_has_it(store: JobStore) -> None:
    await store.apply([add("a", start=False), add("b"), add("c")])
    assert (await applied(store, Start("a"))).state is State.QUEUED


async def test_tallies_outlive_a_restart(bench: Bench) -> None:
    job = await run_new(bench.store, "running")
    await bench.store.apply([add("a"), add("b"), Stop("a")])
    await bench.restart()
    assert await refused(bench.store, add("c", limits=(REJECT,))) == (Refusal.QUEUE_FULL, None)
    await applied(bench.store, Stop(job.job_id))
    await applied(bench.store, add("c", limits=(REJECT,)))
