"""Stops and deletions one by one: from every state a job can be found in, and what who asks is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine import engine as engine_module
from mcp_queue_plugin.errors import JobNotFound, JobStateInvalid
from mcp_queue_plugin.model.admission import EVICTED, LimitRules
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from tests.unit.engine.harness import Host, hosting
from tests.unit.engine.races import left_behind
from tests.unit.workers.harness import until

LONG_SECONDS = 3600.0
ROOM_FOR_ONE = LimitRules(max_jobs=1)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting() as host:
        yield host
        await until(lambda: not left_behind(host))


async def bring(host: Host, where: str, tmp_path: Path) -> None:
    """Bring job ``a`` to a state."""
    match where:
        case "created":
            await host.add("a")
        case "scheduled":
            await host.submit("a", delay_seconds=LONG_SECONDS)
        case "scheduled after a failure":
            await host.submit("a", "fail", "no luck", max_retries=1, retry_base_seconds=LONG_SECONDS)
            await host.working("a")
            await host.reaching("a", State.SCHEDULED)
        case "queued":
            await host.submit("blocker", "hold", str(tmp_path / "release"))
            await host.working("blocker")
            await host.submit("a", "append", str(tmp_path / "runs"))
        case "working":
            await host.submit("a", "obey", str(tmp_path / "note"))
            await host.working("a")


PENDING = ("created", "scheduled", "scheduled after a failure", "queued")


@pytest.mark.parametrize("where", [*PENDING, "working"])
@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_every_job_that_has_not_ended_can_be_ended_once(
    host: Host, tmp_path: Path, where: str, verb: str
) -> None:
    await bring(host, where, tmp_path)
    before = (await host.status("a")).job
    assert before.status == ("running" if where == "working" else "pending")
    waiting = asyncio.ensure_future(host.status("a", wait_seconds=20, until="end"))
    await asyncio.sleep(0)

    answer = await getattr(host, verb)("a", reason="enough of it")

    ended = State.STOPPED if verb == "stop" else State.DELETED
    assert (answer.job.state, answer.job.reason, answer.timed_out) == (ended, "enough of it", False)
    assert answer.job.version > before.version
    told = (await waiting).job.state
    assert told is (State.STOPPED if where == "working" else ended)
    assert host.ended == [("a", told.value)]
    (tmp_path / "release").touch()
    await host.submit("next", "echo", 1)
    await host.end("next")
    assert (await host.status("a")).job == answer.job
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("task", ["echo", "fail"])
async def test_what_ended_by_itself_is_not_stopped_any_more_but_can_be_deleted(host: Host, task: str) -> None:
    await host.submit("a", task, "b")
    ended = (await host.end("a")).job
    with pytest.raises(JobStateInvalid) as refusal:
        await host.stop("a")
    assert refusal.value.data["current_status"] == ended.status
    assert (await host.status("a")).job == ended
    assert (await host.delete("a")).job.state is State.DELETED
    assert (await host.delete("a", reason="again")).job.reason == "away"
    with pytest.raises(JobNotFound):
        await host.stop("a")
    assert host.ended == [("a", ended.state.value)]


async def test_clients_that_stop_at_once_are_all_told_the_same(host: Host, tmp_path: Path) -> None:
    await bring(host, "working", tmp_path)
    answers = await asyncio.gather(*(host.stop("a", reason=f"client {number}") for number in range(10)))
    assert {(answer.job.state, answer.job.reason) for answer in answers} == {(State.STOPPED, "client 0")}
    assert host.ended == [("a", "stopped")]


async def test_of_clients_that_stop_what_waits_one_succeeds(host: Host) -> None:
    await host.add("a")
    outcomes = await asyncio.gather(*(host.stop("a") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, JobStateInvalid) for outcome in outcomes) == 4
    assert host.ended == [("a", "stopped")]


async def test_a_caller_waits_no_longer_than_it_wants_to(host: Host, tmp_path: Path) -> None:
    await host.submit("a", "hold", str(tmp_path / "release"))
    await host.working("a")
    for verb in (host.stop, host.delete):
        answer = await verb("a", grace_seconds=LONG_SECONDS, wait_seconds=0.01)
        assert (answer.job.state, answer.timed_out) == (State.STOPPING, True)
    (tmp_path / "release").touch()
    assert (await host.delete("a", grace_seconds=LONG_SECONDS)).job.state is State.DELETED
    assert host.ended == [("a", "stopped")]


@pytest.mark.parametrize("task", ["obey", "wait_async", "hold", "deaf"])
async def test_an_evicted_job_lets_go_like_a_stopped_one(task: str, tmp_path: Path) -> None:
    async with hosting(limits=ROOM_FOR_ONE) as host:
        await host.submit("old", task, str(tmp_path / "never"), stop_grace_seconds=0.1)
        await host.working("old")
        begin = time.monotonic()
        await host.submit("new", "echo", 1)
        assert time.monotonic() - begin < 0.1
        old = await host.end("old")
        assert (old.job.state, old.job.reason) == (State.STOPPED, EVICTED)
        assert (await host.end("new")).job.state is State.COMPLETED
        assert host.ended == [("old", "stopped"), ("new", "completed")]


async def test_an_evicted_job_can_be_deleted_while_it_lets_go(tmp_path: Path) -> None:
    async with hosting(limits=ROOM_FOR_ONE) as host:
        await host.submit("old", "hold", str(tmp_path / "never"), stop_grace_seconds=LONG_SECONDS)
        await host.working("old")
        await host.submit("new", "echo", 1)
        assert (await host.status("old")).job.state is State.STOPPING
        deleted = await host.delete("old", grace_seconds=0)
        assert (deleted.job.state, deleted.job.reason) == (State.DELETED, EVICTED)
        await host.end("new")
        assert host.ended == [("old", "stopped"), ("new", "completed")]


@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_what_was_asked_before_a_shutdown_holds_after_it(tmp_path: Path, verb: str) -> None:
    store = MemoryStore(system_clock())
    async with hosting(store) as host:
        await host.submit("a", "hold", str(tmp_path / "never"))
        await host.working("a")
        await getattr(host, verb)("a", grace_seconds=LONG_SECONDS, wait_seconds=0)
        await host.close(0.05)
    ended = State.STOPPED if verb == "stop" else State.DELETED
    job = await store.get("a")
    assert job is not None
    assert (job.state, host.ended) == (ended, [("a", "stopped")])


@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_what_was_asked_before_a_crash_holds_after_it(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "DRAIN_MAX_SECONDS", 0.05)
    store, runs = MemoryStore(system_clock()), tmp_path / "runs"
    async with hosting(store) as host:
        await host.submit("a", "append_and_hold", str(runs))
        await host.working("a")
        await until(lambda: runs.exists() and runs.read_text())
        await getattr(host, verb)("a", grace_seconds=LONG_SECONDS, wait_seconds=0)
        await host.engine.abandon()
        async with hosting(store) as again:
            ended = State.STOPPED if verb == "stop" else State.DELETED
            assert (await again.status("a")).job.state is ended
            await again.submit("next", "echo", 1)
            await again.end("next")
            assert (await again.status("a")).job.state is ended
    assert len(runs.read_text().splitlines()) == 1
