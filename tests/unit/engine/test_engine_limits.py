"""Limits: who has to go for a new job, and when a new one is refused instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import QueueFull
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.model.job import Idempotency, Submission
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import Host, hosting
from tests.unit.engine.queueing import MakeStore, ends, hand_in, report, retry

THREE = LimitRules(max_jobs=3)
QUEUES = {
    "default": QueueRule(),
    "short": QueueRule(max_queue_size=2, overflow="reject"),
    "rolling": QueueRule(max_queue_size=2, overflow="evict_oldest"),
}


def kind(job_id: str, job_type: str = "test", **changes: Any) -> Submission:
    """A job of a type and a command of its own."""
    return Submission(job_id=job_id, job_type=job_type, target="tests.unit.engine.tasks:echo", **changes)


async def states(host: Host, *job_ids: str) -> list[str]:
    return [(await host.status(job_id)).job.state.value for job_id in job_ids]


@pytest.fixture
async def host(make_store: MakeStore) -> AsyncIterator[Host]:
    async with hosting(make_store(system_clock()), limits=THREE, queues=QUEUES) as host:
        yield host


async def test_the_oldest_pending_job_is_evicted_before_one_that_runs(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release))
    await host.working("running")
    await host.submit("first", "echo")
    await host.add("second", "echo")
    assert (await host.submit("third", "echo")).job.state is State.QUEUED
    evicted = await host.end("first")
    assert (evicted.job.state, evicted.job.reason, evicted.job.attempt) == (State.STOPPED, "evicted", 0)
    await host.submit("fourth", "echo")
    assert await states(host, "running", "second", "third", "fourth") == ["working", "stopped", "queued", "queued"]
    assert host.ended == [("first", "stopped"), ("second", "stopped")]
    release.touch()
    assert {job.state for job in await ends(host, ["running", "third", "fourth"])} == {State.COMPLETED}


async def test_a_running_job_is_evicted_when_none_waits_and_nobody_waits_for_its_grace_time(tmp_path: Path) -> None:
    release = tmp_path / "release"
    async with hosting(max_concurrent_jobs=2, min_workers=2, limits=LimitRules(max_jobs=1)) as host:
        await host.submit("deaf", "hold", str(release), stop_grace_seconds=60.0)
        await host.working("deaf")
        assert (await host.submit("new", "echo", 1)).job.state is State.QUEUED
        assert (await host.end("new")).result == b"1"
        stopping = (await host.status("deaf")).job
        assert (stopping.state, stopping.reason) == (State.STOPPING, "evicted")
        release.touch()
        stopped = (await host.end("deaf")).job
        assert (stopped.state, stopped.reason) == (State.STOPPED, "evicted")


async def test_a_deaf_victim_is_killed_after_its_grace_time_and_makes_way_for_the_new_one(tmp_path: Path) -> None:
    async with hosting(limits=LimitRules(max_jobs=1)) as host:
        await host.submit("deaf", "hold", str(tmp_path / "never"), stop_grace_seconds=0.05)
        await host.working("deaf")
        await host.submit("new", "echo", 1)
        assert (await host.end("new")).result == b"1"
        assert (await host.end("deaf")).job.reason == "evicted"


async def test_whoever_waits_for_a_victim_learns_why_it_ended(host: Host) -> None:
    for number in range(3):
        await host.add(str(number), "echo")
    waiting = asyncio.create_task(host.end("0"))
    await asyncio.sleep(0)
    await host.add("new", "echo")
    assert (await waiting).job.reason == "evicted"


async def test_a_queue_that_rejects_says_which_limit_is_full_and_when_to_try_again(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release), queue="short")
    await host.working("running")
    await host.submit("waiting", "echo", queue="short")
    with pytest.raises(QueueFull, match="2 jobs of the queue 'short' have not ended, 2 are allowed") as refusal:
        await host.submit("refused", "echo", queue="short")
    said = refusal.value.details()
    # One slot, an average of 60 seconds at first: so long until a job has ended.
    assert said == {
        "domain_code": "QUEUE_FULL",
        "limit": "queue",
        "name": "short",
        "max_jobs": 2,
        "jobs": 2,
        "retry_after_seconds": 60,
    }
    assert (await report(host, "short")).max_size == 2
    release.touch()
    await ends(host, ["running", "waiting"])
    assert (await host.submit("refused", "echo", queue="short")).job.state is State.QUEUED


async def test_a_queue_may_evict_where_the_others_reject(make_store: MakeStore) -> None:
    limits = LimitRules(max_jobs=4, overflow="reject")
    async with hosting(make_store(system_clock()), warm=False, limits=limits, queues=QUEUES) as host:
        for number in range(5):
            await host.submit(f"rolling {number}", queue="rolling")
        assert await states(host, *(f"rolling {number}" for number in range(5))) == ["stopped"] * 3 + ["queued"] * 2
        for number in range(2):
            await host.submit(f"other {number}")
        with pytest.raises(QueueFull) as refusal:
            await host.submit("too many")
        assert (refusal.value.data["limit"], refusal.value.data["name"]) == ("all", None)
        # Full as a whole: what the queue could evict of its own helps nobody.
        with pytest.raises(QueueFull):
            await host.submit("rolling 5", queue="short")
        assert await states(host, "rolling 3", "rolling 4") == ["queued", "queued"]


@pytest.mark.parametrize("end", ["completed", "stopped", "deleted"])
async def test_a_job_that_has_ended_makes_room(make_store: MakeStore, end: str) -> None:
    limits = LimitRules(max_jobs=1, overflow="reject")
    async with hosting(make_store(system_clock()), limits=limits) as host:
        await host.add("first", "echo")
        with pytest.raises(QueueFull):
            await host.submit("second", "echo")
        match end:
            case "completed":
                await host.start("first")
                await host.end("first")
            case "stopped":
                await host.stop("first")
            case _:
                await host.delete("first")
        await host.submit("second", "echo")
        assert (await host.end("second")).job.state is State.COMPLETED


async def test_job_types_and_commands_have_limits_of_their_own_and_both_hold(make_store: MakeStore) -> None:
    limits = LimitRules(max_jobs_by_name={"import": 3, "greet": 1, "leave": 2}, overflow="reject")
    async with hosting(make_store(system_clock()), warm=False, limits=limits) as host:
        await hand_in(host, kind("1", "import", command="greet"))
        with pytest.raises(QueueFull) as refusal:
            await hand_in(host, kind("2", "import", command="greet"))
        assert (refusal.value.data["limit"], refusal.value.data["name"]) == ("command", "greet")
        for job_id in ("2", "3"):
            await hand_in(host, kind(job_id, "import", command="leave"))
        with pytest.raises(QueueFull) as refusal:
            await hand_in(host, kind("4", "import", command="other"))
        assert (refusal.value.data["limit"], refusal.value.data["name"]) == ("job_type", "import")
        await hand_in(host, kind("4", "export", command="other"))


async def test_a_limit_by_name_evicts_only_what_it_counts(make_store: MakeStore) -> None:
    limits = LimitRules(max_jobs_by_name={"greet": 1})
    async with hosting(make_store(system_clock()), warm=False, limits=limits) as host:
        await hand_in(host, kind("other", command="leave"))
        await hand_in(host, kind("old", command="greet"))
        await hand_in(host, kind("new", command="greet"))
        assert await states(host, "other", "old", "new") == ["queued", "stopped", "queued"]


async def test_nobody_evicts_the_jobs_of_somebody_else(make_store: MakeStore) -> None:
    async with hosting(make_store(system_clock()), warm=False, limits=THREE) as host:
        for number in range(3):
            await hand_in(host, kind(f"ada {number}", owner="ada"))
        with pytest.raises(QueueFull, match="none of this owner can be evicted"):
            await hand_in(host, kind("bob", owner="bob"))
        await hand_in(host, kind("ada 3", owner="ada"))
        assert await states(host, *(f"ada {number}" for number in range(4))) == ["stopped", *["queued"] * 3]


async def test_what_is_queued_again_needs_room_too(make_store: MakeStore) -> None:
    async with hosting(make_store(system_clock()), warm=False, limits=THREE, queues=QUEUES) as host:
        await host.submit("short", queue="short")
        await host.stop("short")
        for number in range(2):
            await host.submit(f"short {number}", queue="short")
        with pytest.raises(QueueFull) as refusal:
            await retry(host, "short")
        assert refusal.value.data["retry_after_seconds"] > 0
        assert await states(host, "short") == ["stopped"]
        await host.add("default")
        await host.stop("short 0")
        await host.add("another")
        assert (await retry(host, "short")).job.state is State.QUEUED
        assert await states(host, "default", "another", "short 1") == ["created", "created", "stopped"]


async def test_the_same_submission_needs_no_room(make_store: MakeStore) -> None:
    limits = LimitRules(max_jobs=1, overflow="reject")
    same = Idempotency(key="once", fingerprint="x")
    async with hosting(make_store(system_clock()), warm=False, limits=limits) as host:
        first = await hand_in(host, kind("a", idempotency=same))
        assert (await hand_in(host, kind("b", idempotency=same))).job == first.job


async def test_a_crowd_at_a_full_queue_leaves_as_many_as_may_be_and_all_get_an_answer(make_store: MakeStore) -> None:
    async with hosting(make_store(system_clock()), warm=False, limits=LimitRules(max_jobs=10)) as host:
        answers = await asyncio.gather(*(host.submit(str(number)) for number in range(200)))
        assert {answer.job.state for answer in answers} == {State.QUEUED}
        counts = (await host.engine.health()).counts
        assert counts.by_state == {"queued": 10, "stopped": 190}
        assert await states(host, "189", "190", "199") == ["stopped", "queued", "queued"]
        assert len(host.ended) == 190


async def test_options_of_jobs_decide_whose_limit_holds() -> None:
    async with hosting(warm=False, queues=QUEUES) as host:
        for number in range(2):
            await hand_in(host, kind(str(number), options=JobOptions(queue="short")))
        with pytest.raises(QueueFull):
            await hand_in(host, kind("2", options=JobOptions(queue="short")))
        await hand_in(host, kind("2"))
