"""What every store promises of idempotency keys: the same submission twice is one job."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.admission import Limit
from mcp_queue_plugin.model.job import Idempotency, Job
from mcp_queue_plugin.model.operations import Add, Adopt, Applied, Delete, EndingKind, Refusal, Retry, Stop, Sweep
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import (
    add,
    applied,
    claim,
    done,
    everything,
    finish,
    outcome,
    refused,
    submission,
    unchanged,
)

DAY = 86_400.0


def keyed(
    job_id: str,
    key: str = "k",
    *,
    fingerprint: str = "f",
    owner: str | None = None,
    job_type: str = "command_execution",
    command: str | None = "echo",
    limits: tuple[Limit, ...] = (),
) -> Add:
    handed_in = submission(
        job_id,
        owner=owner,
        job_type=job_type,
        command=command,
        idempotency=Idempotency(key=key, fingerprint=fingerprint),
    )
    return Add(submission=handed_in, params=b"{}", start=True, limits=limits)


async def is_same(store: JobStore, operation: Add, job: Job) -> None:
    """It is answered with ``job``, and nothing has changed."""
    before = await everything(store)
    assert await unchanged(store, operation) == job
    assert await everything(store) == before


async def conflicts(store: JobStore, operation: Add, job: Job) -> None:
    """It is refused for ``job``, and nothing has changed."""
    before = await everything(store)
    assert await refused(store, operation) == (Refusal.IDEMPOTENCY_CONFLICT, job)
    assert await everything(store) == before


@pytest.mark.parametrize("owner", [None, "ann"])
async def test_the_same_key_gives_the_same_job(store: JobStore, owner: str | None) -> None:
    job = await applied(store, keyed("a", owner=owner))
    await is_same(store, keyed("a", owner=owner), job)
    await is_same(store, keyed("b", owner=owner), job)
    assert await store.get("b") is None


@pytest.mark.parametrize("owner", [None, "ann"])
async def test_the_same_key_with_something_else_to_do_is_refused(store: JobStore, owner: str | None) -> None:
    job = await applied(store, keyed("a", owner=owner))
    await conflicts(store, keyed("b", fingerprint="g", owner=owner), job)
    await is_same(store, keyed("b", owner=owner), job)


async def test_a_key_is_known_in_its_own_group(store: JobStore) -> None:
    outcomes = await store.apply([keyed("a"), keyed("b"), keyed("c", fingerprint="g")])
    assert [type(found).__name__ for found in outcomes] == ["Applied", "Applied", "Refused"]
    assert [isinstance(found, Applied) and found.changed for found in outcomes] == [True, False, False]
    assert (await store.counts()).by_state == {"queued": 1}


async def test_a_key_belongs_to_an_owner_and_a_subject(store: JobStore) -> None:
    others = [
        keyed("a"),
        keyed("b", owner="ann"),
        keyed("c", owner="bob"),
        keyed("d", command="sum"),
        keyed("e", job_type="csv", command=None),
        keyed("f", "K"),
        keyed("g", owner=""),
    ]
    jobs = [await applied(store, operation) for operation in others]
    for operation, job in zip(others, jobs, strict=True):
        await is_same(store, operation, job)


async def test_the_subject_of_a_job_without_command_is_its_type(store: JobStore) -> None:
    job = await applied(store, keyed("a", job_type="csv", command=None))
    await is_same(store, keyed("b", job_type="other", command="csv"), job)


async def test_without_a_key_nothing_is_the_same(store: JobStore) -> None:
    await applied(store, keyed("a"))
    await applied(store, add("b"))
    await applied(store, add("c"))


async def test_a_key_lasts_as_long_as_its_job_whatever_becomes_of_it(bench: Bench) -> None:
    store = bench.store
    await applied(store, keyed("a"))
    (working,) = await claim(store)
    await is_same(store, keyed("b"), working)
    failed = await applied(store, finish(working.token, EndingKind.FAILED))
    await is_same(store, keyed("b"), failed)
    retried = await applied(store, Retry(job_id="a"))
    await is_same(store, keyed("b"), retried)
    stopped = await applied(store, Stop("a"))
    await bench.restart()
    await is_same(bench.store, keyed("b"), stopped)
    await conflicts(bench.store, keyed("b", fingerprint="g"), stopped)


async def test_a_deleted_jobs_key_is_free_again(store: JobStore) -> None:
    await applied(store, keyed("a"))
    await applied(store, Delete("a"))
    new = await applied(store, keyed("b", fingerprint="g"))
    await is_same(store, keyed("c", fingerprint="g"), new)


async def test_a_running_jobs_key_is_free_once_it_is_deleted_and_not_before(store: JobStore) -> None:
    await applied(store, keyed("a"))
    (job,) = await claim(store)
    deleting = await applied(store, Delete("a"))
    await is_same(store, keyed("b"), deleting)
    await applied(store, finish(job.token))
    await applied(store, Delete("a"))
    await applied(store, keyed("b"))


async def test_a_swept_jobs_key_is_free_again(bench: Bench) -> None:
    store = bench.store
    await applied(store, keyed("a"))
    await applied(store, Stop("a"))
    bench.clock.now += DAY
    assert (await done(store, Sweep(tombstones=False, age_seconds=DAY, limit=9))).removed == 1
    await applied(store, keyed("b", fingerprint="g"))


async def test_a_known_key_goes_before_a_taken_id(store: JobStore) -> None:
    job = await applied(store, keyed("a"))
    other = await applied(store, add("b"))
    await is_same(store, keyed("b"), job)
    assert await refused(store, keyed("b", "new")) == (Refusal.ALREADY_EXISTS, other)
    await applied(store, keyed("c", "new"))


async def test_a_known_key_evicts_nobody(store: JobStore) -> None:
    job = await applied(store, keyed("a"))
    await is_same(store, keyed("b", limits=(Limit(scope="all", max_jobs=1),)), job)
    await conflicts(store, keyed("b", fingerprint="g", limits=(Limit(scope="all", max_jobs=1),)), job)


async def test_an_evicted_job_keeps_its_key(store: JobStore) -> None:
    await applied(store, keyed("a"))
    found = await outcome(store, add("b", limits=(Limit(scope="all", max_jobs=1),)))
    assert isinstance(found, Applied)
    (gone,) = found.evicted
    await is_same(store, keyed("c"), gone.job)


async def test_a_full_queue_keeps_no_key(store: JobStore) -> None:
    full = (Limit(scope="all", max_jobs=1, overflow="reject"),)
    await applied(store, add("a"))
    assert await refused(store, keyed("b", limits=full)) == (Refusal.QUEUE_FULL, None)
    await applied(store, keyed("b", fingerprint="g"))


async def test_an_adopted_job_may_have_a_key(store: JobStore) -> None:
    adopted = Adopt(submission=keyed("a").submission, params=b"", description="")
    job = await applied(store, adopted)
    assert await unchanged(store, adopted) == job
    await is_same(store, keyed("b"), job)


async def test_the_same_submission_starts_a_job_that_was_only_added_before(store: JobStore) -> None:
    handed_in = keyed("a")
    added = await applied(store, Add(submission=handed_in.submission, params=b"{}", start=False))
    assert added.state is State.CREATED
    started = await applied(store, keyed("b"))
    assert (started.uid, started.job_id, started.state) == (added.uid, "a", State.QUEUED)
    await is_same(store, keyed("c"), started)
