"""Long-polls: a thousand cost nothing, no change is missed or told twice, and who goes away leaves nothing."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobError, JobNotFound
from mcp_queue_plugin.model.states import ENDED_STATES, State
from tests.unit.engine.client import connected, submit
from tests.unit.engine.harness import WAIT_SECONDS, Host, TardyStore, hosting, pass_turns, submission

WAITERS = 1000
MEASURED_SECONDS = 2.0
EXTRA_CPU_SECONDS = 0.1
ALL_ANSWERED_SECONDS = 2.0


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[EngineClient]:
    async with connected(tmp_path, warm=True) as client:
        await client.submit(submission("idle"), b"1", start=False)
        yield client


async def waiting(client: EngineClient, count: int) -> None:
    """Return once so many calls wait in the engine."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (await client.health()).waiting_calls != count:
            pass


async def cpu_seconds(client: EngineClient) -> float:
    """What the engine's process and this one use of a processor meanwhile."""
    used = []
    for _ in range(2):
        times = [psutil.Process(pid).cpu_times() for pid in (os.getpid(), client.pid)]
        used.append(sum(each.user + each.system for each in times))
        if len(used) == 1:
            await asyncio.sleep(MEASURED_SECONDS)
    return used[1] - used[0]


async def test_a_thousand_who_wait_cost_nothing_and_are_answered_together(client: EngineClient, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await submit(client, "busy", "tick", f'"{release}"'.encode())
    before = await client.status("busy", wait_seconds=WAIT_SECONDS, known_version=0)
    await client.status("busy", wait_seconds=WAIT_SECONDS, known_version=before.job.version)
    without = await cpu_seconds(client)

    idle = [asyncio.create_task(client.status("idle", wait_seconds=55)) for _ in range(WAITERS)]
    busy = [asyncio.create_task(client.status("busy", wait_seconds=55, until="end")) for _ in range(WAITERS)]
    await waiting(client, 2 * WAITERS)
    assert await cpu_seconds(client) < without + EXTRA_CPU_SECONDS

    begin = time.monotonic()
    started = (await client.start_job("idle")).job
    assert {answer.job for answer in await asyncio.gather(*idle)} == {started}
    assert time.monotonic() - begin < ALL_ANSWERED_SECONDS
    begin = time.monotonic()
    release.touch()
    assert {answer.job.state for answer in await asyncio.gather(*busy)} == {State.COMPLETED}
    assert time.monotonic() - begin < ALL_ANSWERED_SECONDS
    await waiting(client, 0)


async def test_who_goes_away_leaves_nothing(client: EngineClient) -> None:
    calls = [asyncio.create_task(client.status("idle", wait_seconds=3600)) for _ in range(WAITERS)]
    await waiting(client, WAITERS)
    kept = calls.pop()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await waiting(client, 1)
    assert len(client._connection._waiting) == 1
    await client.stop_job("idle", reason="")
    assert (await kept).job.state is State.STOPPED


async def test_who_goes_away_at_once_leaves_nothing(client: EngineClient) -> None:
    """The request and its calling off may arrive together."""
    for delay_turns in range(4):
        calls = [asyncio.create_task(client.status("idle", wait_seconds=3600)) for _ in range(50)]
        for _ in range(delay_turns):
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await waiting(client, 0)
    assert not client._connection._waiting


async def test_a_loop_that_ends_takes_its_waits_with_it(client: EngineClient) -> None:
    async def wait_a_moment() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.status("idle", wait_seconds=3600), 0.05)
        asyncio.create_task(client.status("idle", wait_seconds=3600))  # noqa: RUF006 (it ends with the loop)
        await asyncio.sleep(0)

    thread = threading.Thread(target=asyncio.run, args=(wait_a_moment(),))
    thread.start()
    await asyncio.to_thread(thread.join, WAIT_SECONDS)
    await waiting(client, 0)


IDS = ("a", "b")
verbs = st.sampled_from(["add", "start", "stop", "retry", "delete"])
batches = st.lists(st.tuples(verbs, st.sampled_from(IDS)), min_size=1, max_size=4)
turns = st.integers(0, 6)


@settings(max_examples=200, deadline=None)
@given(
    script=st.lists(st.tuples(batches, turns), min_size=1, max_size=12),
    pauses=st.lists(turns, min_size=1, max_size=5),
    tardiness=st.lists(st.integers(0, 40), min_size=1, max_size=3),
)
def test_no_change_is_missed_and_none_is_told_twice(
    script: list[tuple[list[tuple[str, str]], int]], pauses: list[int], tardiness: list[int]
) -> None:
    async def run() -> None:
        async with hosting(TardyStore(tardiness), warm=False) as host:
            done = asyncio.Event()
            follows = [
                asyncio.create_task(follow(host, job_id, itertools.cycle(pauses[number:] or [0]), done))
                for job_id in IDS
                for number in range(3)
            ]
            for batch, pause in script:
                await asyncio.gather(*(getattr(host, verb)(job_id) for verb, job_id in batch), return_exceptions=True)
                await pass_turns(pause)
            await asyncio.gather(*(host.delete(job_id) for job_id in IDS), return_exceptions=True)
            done.set()
            seen = await asyncio.gather(*follows)
            for job_id, versions in zip(sorted(IDS * 3), seen, strict=True):
                assert versions == sorted(set(versions))
                assert versions[-1:] == await last_version(host, job_id)
            assert len(host.engine.reading.watchers) == 0

    asyncio.run(run())


async def follow(host: Host, job_id: str, pauses: itertools.cycle[int], done: asyncio.Event) -> list[int]:
    """Poll from change to change, until everything has happened and is known; the versions that were seen."""
    seen: list[int] = []
    while True:
        last = done.is_set()
        answer = await known_or_none(host, job_id, seen)
        if answer is not None and answer.job.version not in seen[-1:]:
            seen.append(answer.job.version)
        elif last:
            return seen
        assert answer is None or not answer.timed_out
        await pass_turns(next(pauses))
        if answer is None or answer.job.state in ENDED_STATES:
            await asyncio.sleep(0)


async def known_or_none(host: Host, job_id: str, seen: list[int]) -> Answer | None:
    known_version = seen[-1] if seen else None
    try:
        return await host.status(job_id, wait_seconds=WAIT_SECONDS, known_version=known_version)
    except JobNotFound:
        return None


async def last_version(host: Host, job_id: str) -> list[int]:
    try:
        return [(await host.status(job_id)).job.version]
    except JobError:
        return []
