"""What can be asked of an engine, and every way it says no. No worker is needed for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_queue_plugin.errors import JobAlreadyExists, JobNotFound, JobStateInvalid
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import Host, hosting


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting(warm=False) as host:
        yield host


async def test_an_added_job_waits_to_be_started(host: Host) -> None:
    added = await host.add("a")
    assert (added.job.state, added.result, added.timed_out) == (State.CREATED, None, False)
    started = await host.start("a")
    assert started.job.state is State.QUEUED
    assert (await host.start("a")).job == started.job


async def test_a_submitted_job_is_queued_in_the_same_step(host: Host) -> None:
    assert (await host.submit("a")).job.state is State.QUEUED


async def test_an_id_is_taken_once_and_free_again_after_the_deletion(host: Host) -> None:
    await host.add("a")
    with pytest.raises(JobAlreadyExists) as refusal:
        await host.submit("a")
    assert refusal.value.details() == {
        "domain_code": "JOB_ALREADY_EXISTS",
        "field": "job_id",
        "value": "a",
        "store": "queuemgr",
    }
    await host.delete("a")
    assert (await host.add("a")).job.state is State.CREATED


async def test_of_two_that_race_for_an_id_one_gets_it(host: Host) -> None:
    outcomes = await asyncio.gather(*(host.add("a") for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, JobAlreadyExists) for outcome in outcomes) == 9


async def test_an_unknown_job_is_named(host: Host) -> None:
    asked = (
        host.start("nobody"),
        host.stop("nobody"),
        host.delete("nobody"),
        host.status("nobody"),
        host.engine.reading.log("nobody", LogQuery()),
    )
    for refusal in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(refusal, JobNotFound)
        assert refusal.job_id == "nobody"
        assert refusal.details()["domain_code"] == "JOB_NOT_FOUND"


async def test_a_deleted_job_can_be_read_and_deleted_again_but_nothing_else(host: Host) -> None:
    await host.add("a")
    first = await host.delete("a", reason="not needed")
    assert (first.job.state, first.job.reason) == (State.DELETED, "not needed")
    assert (await host.delete("a")).job == first.job
    assert (await host.status("a")).job == first.job
    for refused in (host.start("a"), host.stop("a")):
        with pytest.raises(JobNotFound):
            await refused


async def test_a_pending_job_is_stopped_at_once_and_told_once(host: Host) -> None:
    await host.submit("a")
    stopped = await host.stop("a", reason="changed my mind")
    assert (stopped.job.state, stopped.job.reason) == (State.STOPPED, "changed my mind")
    assert host.ended == [("a", "stopped")]


async def test_what_has_ended_is_neither_started_nor_stopped(host: Host) -> None:
    await host.submit("a")
    await host.stop("a")
    for action, allowed in (("start", ["pending"]), ("stop", ["pending", "running"])):
        with pytest.raises(JobStateInvalid) as refusal:
            await getattr(host, action)("a")
        assert refusal.value.details() == {
            "domain_code": "JOB_STATE_INVALID",
            "field": "job_id",
            "value": "a",
            "store": "queuemgr",
            "action": action,
            "current_status": "stopped",
            "allowed_statuses": allowed,
        }


async def test_jobs_are_listed_and_counted(host: Host) -> None:
    for job_id in "abc":
        await host.add(job_id)
    await host.start("b")
    page = (await host.engine.reading.list_jobs(JobQuery(limit=2))).page
    assert [job.job_id for job in page.jobs] == ["c", "b"]
    assert page.total_count == 3
    health = await host.engine.health()
    assert health.counts.by_state == {"created": 2, "queued": 1}
    assert health.oldest_queued_at == (await host.status("b")).job.queued_at
    assert (health.max_concurrent_jobs, health.waiting_calls, health.issues) == (1, 0, ())
    assert health.capabilities.backend == "memory"


async def test_a_log_of_a_job_that_never_ran_is_empty(host: Host) -> None:
    await host.add("a")
    page = await host.engine.reading.log("a", LogQuery())
    assert (page.entries, page.next_cursor) == ((), 0)
