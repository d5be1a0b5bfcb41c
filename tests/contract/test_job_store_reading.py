"""What every store promises to those who read counts and lists, and to those who come back."""

from __future__ import annotations

import pytest

from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Add, Delete, EndingKind, Stop
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobPage, JobQuery, LogEntry, LogQuery
from mcp_queue_plugin.model.states import State, Status
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.conftest import Bench
from tests.contract.samples import add, applied, claim, finish, run_new, submission


async def test_counts_follow_every_change(store: JobStore) -> None:
    await store.apply([add("created", start=False), add("queued"), add("deleted")])
    await applied(store, Delete("deleted"))
    assert (await store.counts()).by_state == {"created": 1, "queued": 1, "deleted": 1}
    (job,) = await claim(store)
    assert (await store.counts()).of(State.WORKING, State.QUEUED) == 1
    await applied(store, finish(job.token))
    assert (await store.counts()).by_state == {"created": 1, "completed": 1, "deleted": 1}


async def test_the_oldest_queued_job_is_the_one_with_the_longest_wait(bench: Bench) -> None:
    store = bench.store
    await applied(store, add("low", options=JobOptions(priority=-9)))
    bench.clock.now += 10
    await store.apply([add("high", options=JobOptions(priority=9)), add("middle")])
    assert await store.oldest_queued_at() == 1_000.0
    await applied(store, Stop("low"))
    assert await store.oldest_queued_at() == 1_010.0
    await claim(store)
    assert await store.oldest_queued_at() is None


async def _list(store: JobStore, query: JobQuery) -> list[str]:
    page = await store.list_jobs(query)
    assert page.total_count == len(page.jobs)
    return [job.job_id for job in page.jobs]


async def _one_of_each(store: JobStore) -> None:
    for kind in (EndingKind.COMPLETED, EndingKind.FAILED, EndingKind.STOPPED):
        job = await run_new(store, kind.value)
        await applied(store, finish(job.token, kind))
    await run_new(store, "working")
    await run_new(store, "stopping")
    await applied(store, Stop("stopping"))
    await store.apply([add("deleted"), Delete("deleted"), add("created", start=False), add("queued")])


async def test_a_list_leaves_deleted_jobs_out(store: JobStore) -> None:
    await _one_of_each(store)
    living = ["queued", "created", "stopping", "working", "stopped", "failed", "completed"]
    assert await _list(store, JobQuery()) == living
    assert await _list(store, JobQuery(order="oldest")) == living[::-1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.PENDING, ["queued", "created"]),
        (Status.RUNNING, ["stopping", "working"]),
        (Status.COMPLETED, ["completed"]),
        (Status.FAILED, ["failed"]),
        (Status.STOPPED, ["stopped"]),
        (Status.DELETED, ["deleted"]),
    ],
)
async def test_a_list_of_one_status(store: JobStore, status: Status, expected: list[str]) -> None:
    await _one_of_each(store)
    assert await _list(store, JobQuery(status=status)) == expected


async def test_a_list_by_queue_job_type_command_and_owner(store: JobStore) -> None:
    await store.apply(
        [
            Add(submission=submission("a", owner="ann", options=JobOptions(queue="llm")), params=b"", start=True),
            Add(submission=submission("b", owner="bob", command="sum"), params=b"", start=False),
            Add(submission=submission("c", owner="ann", job_type="csv", command=None), params=b"", start=True),
            Delete("c"),
        ]
    )
    assert await _list(store, JobQuery(queue="llm")) == ["a"]
    assert await _list(store, JobQuery(queue="default")) == ["b"]
    assert await _list(store, JobQuery(command="sum")) == ["b"]
    assert await _list(store, JobQuery(owner="ann")) == ["a"]
    assert await _list(store, JobQuery(job_type="csv")) == []
    assert await _list(store, JobQuery(job_type="csv", status=Status.DELETED)) == ["c"]
    assert await _list(store, JobQuery(owner="bob", command="sum", status=Status.PENDING)) == ["b"]
    assert await _list(store, JobQuery(owner="bob", command="echo")) == []


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("filtered", [False, True])
async def test_pages_join_without_gap_or_overlap(store: JobStore, order: str, filtered: bool) -> None:
    await store.apply([add(f"job {number}") for number in range(7)])
    base = JobQuery(order="newest" if order == "newest" else "oldest", queue="default" if filtered else None, limit=3)
    pages: list[JobPage] = [await store.list_jobs(base)]
    while (after := pages[-1].next_uid) is not None:
        query = JobQuery(order=base.order, queue=base.queue, limit=base.limit, after_uid=after)
        pages.append(await store.list_jobs(query))
    numbers = [int(job.job_id.removeprefix("job ")) for page in pages for job in page.jobs]
    assert numbers == (list(range(7)) if order == "oldest" else list(range(6, -1, -1)))
    assert [len(page.jobs) for page in pages] == [3, 3, 1]
    assert {page.total_count for page in pages} == {7}


async def test_a_full_last_page_has_no_next(store: JobStore) -> None:
    await store.apply([add("a"), add("b")])
    page = await store.list_jobs(JobQuery(limit=2))
    assert len(page.jobs) == 2
    assert page.next_uid is None


async def test_a_restart_recovers_what_was_running(bench: Bench) -> None:
    options = {"again": JobOptions(), "once": JobOptions(on_interrupt="fail"), "worn": JobOptions(max_crashes=1)}
    for job_id, chosen in options.items():
        await run_new(bench.store, job_id, options=chosen)
    for job_id in ("stopping", "deleting", "let go"):
        await run_new(bench.store, job_id)
    await bench.store.apply([Stop("stopping"), Delete("deleting"), Delete("let go")])
    let_go = await bench.store.get("let go")
    assert let_go is not None
    await applied(bench.store, finish(let_go.token))
    await applied(bench.store, add("waiting"))

    recovered = await bench.restart()

    assert {job.job_id: job.state for job in recovered} == {
        "again": State.QUEUED,
        "once": State.FAILED,
        "worn": State.FAILED,
        "stopping": State.STOPPED,
        "deleting": State.DELETED,
        "let go": State.DELETED,
    }
    for job in recovered:
        assert await bench.store.get(job.job_id) == job
    assert (await bench.store.counts()).by_state == {"queued": 2, "failed": 2, "stopped": 1, "deleted": 2}
    assert await bench.restart() == []


async def test_a_restart_keeps_everything_else(bench: Bench) -> None:
    job = await run_new(bench.store, "done")
    ended = await applied(bench.store, finish(job.token, result=b'"r"', log=(LogPiece("stderr", 4.0, b"e"),)))
    waiting = await applied(bench.store, add("waiting", params=b"[1]"))
    deleted = [await applied(bench.store, operation) for operation in (add("x"), Delete("x"))][-1]
    assert await bench.restart() == []
    assert await bench.store.get("done") == ended
    assert await bench.store.get("waiting") == waiting
    assert await bench.store.result(job.uid) == b'"r"'
    assert (await bench.store.log_page(job.uid, LogQuery())).entries == (LogEntry("stderr", 4.0, "e"),)
    new = await applied(bench.store, add("new"))
    assert new.uid > deleted.uid
    assert new.version > deleted.version
