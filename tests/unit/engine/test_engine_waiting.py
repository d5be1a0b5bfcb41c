"""Who waits for a job: woken by what was waited for, by nothing else, and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_queue_plugin.engine.watch import Until, Watch, Watchers, is_over
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import Host, hosting
from tests.unit.workers.harness import until


def job(state: State = State.WORKING, *, version: int = 5, job_id: str = "a", deleting: bool = False) -> Job:
    return Job(
        uid=1,
        job_id=job_id,
        job_type="test",
        target="m:f",
        command=None,
        owner=None,
        options=JobOptions(),
        state=state,
        version=version,
        order=1,
        created_at=1.0,
        delete_requested=deleting,
    )


@pytest.mark.parametrize(
    ("what", "state", "deleting", "over"),
    [
        ("end", State.WORKING, False, False),
        ("end", State.STOPPING, False, False),
        ("end", State.COMPLETED, False, True),
        ("end", State.DELETED, False, True),
        ("deleted", State.STOPPING, True, False),
        ("deleted", State.STOPPED, True, False),
        ("deleted", State.STOPPED, False, True),
        ("deleted", State.DELETED, False, True),
        ("deleted", State.QUEUED, False, True),
        ("stopped", State.STOPPING, False, False),
        ("stopped", State.STOPPED, True, True),
        ("stopped", State.COMPLETED, False, True),
        ("stopped", State.QUEUED, False, True),
        ("change", State.WORKING, False, False),
        ("change", State.FAILED, False, True),
    ],
)
def test_what_a_waiter_waits_for(what: Until, state: State, deleting: bool, over: bool) -> None:
    assert is_over(job(state, deleting=deleting), what, 5) is over


def test_a_change_is_any_version_that_the_waiter_does_not_know() -> None:
    assert not is_over(job(version=5), "change", 5)
    assert is_over(job(version=6), "change", 5)


class Waiters:
    """Watchers and what they were told, in order."""

    def __init__(self) -> None:
        self.watchers = Watchers()
        self.told: list[tuple[str, Job | None, bytes | None]] = []

    def add(self, name: str, record: Job, **how: Any) -> None:
        settings = {"until": "end", "known_version": None, "timeout_seconds": 60.0, **how}
        self.watchers.add(record, callback=lambda over, result: self.told.append((name, over, result)), **settings)


@pytest.fixture
async def waiters() -> Waiters:
    return Waiters()


async def test_waiters_are_told_in_the_order_of_their_coming_and_once(waiters: Waiters) -> None:
    names = [str(number) for number in range(100)]
    for name in names:
        waiters.add(name, job())
    assert len(waiters.watchers) == 100
    ended = job(State.COMPLETED, version=6)
    waiters.watchers.notify(ended, b"1")
    assert waiters.told == [(name, ended, b"1") for name in names]
    assert len(waiters.watchers) == 0
    waiters.watchers.notify(ended, b"1")
    assert len(waiters.told) == 100


async def test_only_those_whose_reason_came_are_told(waiters: Waiters) -> None:
    waiters.add("change", job(), until="change")
    waiters.add("end", job())
    waiters.add("other job", job(job_id="b"))
    changed = job(version=6)
    waiters.watchers.notify(changed, None)
    assert waiters.told == [("change", changed, None)]
    waiters.watchers.notify(job(State.STOPPED, version=7), None)
    assert [name for name, *_ in waiters.told] == ["change", "end"]
    assert len(waiters.watchers) == 1


async def test_a_reason_that_is_there_already_needs_no_waiting(waiters: Waiters) -> None:
    waiters.add("knows an older one", job(version=5), until="change", known_version=4)
    waiters.add("has ended", job(State.FAILED))
    assert [name for name, *_ in waiters.told] == ["knows an older one", "has ended"]
    assert len(waiters.watchers) == 0


async def test_a_wait_ends_with_its_time_and_leaves_the_others_waiting(waiters: Waiters) -> None:
    waiters.add("patient", job())
    waiters.add("hasty", job(), timeout_seconds=0.01)
    await until(lambda: waiters.told)
    assert waiters.told == [("hasty", None, None)]
    assert len(waiters.watchers) == 1


async def test_who_knows_a_record_is_not_told_of_an_older_one(waiters: Waiters) -> None:
    """A commit of several changes may be seen before they are told, one after the other."""
    for what in ("change", "end", "stopped"):
        waiters.add(what, job(State.STOPPING, version=7), until=what)
    waiters.watchers.notify(job(State.STOPPED, version=5), None)
    waiters.watchers.notify(job(State.QUEUED, version=6), None)
    waiters.watchers.notify(job(State.STOPPING, version=7), None)
    assert waiters.told == []
    waiters.watchers.notify(job(State.STOPPED, version=8), None)
    assert [name for name, *_ in waiters.told] == ["change", "end", "stopped"]


async def test_a_wait_that_is_called_off_is_never_told(waiters: Waiters) -> None:
    told: list[Job | None] = []

    def add() -> Watch:
        watch = waiters.watchers.add(
            job(), until="end", known_version=None, timeout_seconds=0.01, callback=lambda over, _: told.append(over)
        )
        assert watch is not None
        return watch

    first, second = add(), add()
    waiters.add("patient", job(), timeout_seconds=0.02)
    first.cancel()
    first.cancel()
    assert len(waiters.watchers) == 2
    second.cancel()
    await until(lambda: waiters.told)
    assert (told, len(waiters.watchers)) == ([], 0)


async def test_a_waiter_may_wait_again_when_it_is_told(waiters: Waiters) -> None:
    def again(over: Job | None, result: bytes | None) -> None:
        assert over is not None
        waiters.add("again", over, until="change")

    waiters.watchers.add(job(), until="change", known_version=None, timeout_seconds=60.0, callback=again)
    waiters.watchers.notify(job(version=6), None)
    assert len(waiters.watchers) == 1
    waiters.watchers.notify(job(version=7), None)
    assert [name for name, *_ in waiters.told] == ["again"]


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting(warm=False) as host:
        yield host


async def test_a_status_can_wait_for_the_next_change(host: Host) -> None:
    added = await host.add("a")
    wait = asyncio.create_task(host.status("a", wait_seconds=20))
    await asyncio.sleep(0)
    started = await host.start("a")
    changed = await wait
    assert (changed.job.version, changed.timed_out) == (started.job.version, False)
    assert changed.job.version > added.job.version


async def test_a_status_answers_at_once_when_the_caller_knows_an_older_version(host: Host) -> None:
    known = (await host.add("a")).job.version
    await host.start("a")
    answer = await host.status("a", wait_seconds=20, known_version=known)
    assert answer.job.state is State.QUEUED


async def test_a_wait_without_a_change_answers_the_record_and_says_so(host: Host) -> None:
    added = await host.add("a")
    answer = await host.status("a", wait_seconds=0.01)
    assert (answer.job, answer.timed_out) == (added.job, True)


async def test_a_wait_for_a_job_that_is_deleted_meanwhile_gets_the_tombstone(host: Host) -> None:
    await host.add("a")
    wait = asyncio.create_task(host.status("a", wait_seconds=20, until="end"))
    await asyncio.sleep(0)
    await host.delete("a")
    assert (await wait).job.state is State.DELETED


async def test_hundreds_wait_for_one_job_and_health_counts_them(host: Host) -> None:
    await host.add("a")
    waits = [asyncio.create_task(host.status("a", wait_seconds=20, until="end")) for _ in range(300)]
    await asyncio.sleep(0)
    assert (await host.engine.health()).waiting_calls == 300
    await host.stop("a")
    assert {answer.job.state for answer in await asyncio.gather(*waits)} == {State.STOPPED}
    assert (await host.engine.health()).waiting_calls == 0
