"""Where a pending job stands, and how long it is expected to wait: in answers, in lists, and of its queue."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.queues import QueueRule
from tests.unit.engine.harness import DISK_FULL, FragileStore, Host, answered, hosting, submission
from tests.unit.engine.queueing import HOUR_SECONDS, MakeStore, ends, report

AVERAGE_SECONDS = 60.0
PAUSE_SECONDS = 10.0
QUEUES = {
    "default": QueueRule(),
    "narrow": QueueRule(max_concurrent_jobs=1, min_pause_seconds=PAUSE_SECONDS),
}


@pytest.fixture
async def host(make_store: MakeStore) -> AsyncIterator[Host]:
    async with hosting(make_store(system_clock()), max_concurrent_jobs=2, min_workers=2, queues=QUEUES) as host:
        yield host


async def placed(host: Host, job_id: str) -> Answer:
    """The record of a job and its place."""
    status = await host.status(job_id)
    return await answered(lambda reply: host.engine.reading.placed(reply)(status))


async def place(host: Host, job_id: str) -> tuple[int, float] | None:
    found = (await placed(host, job_id)).place
    return None if found is None else (found.position, found.estimated_wait_seconds)


async def places(host: Host) -> dict[str, int]:
    """The positions of all pending jobs, as a list shows them."""
    listing = await host.engine.reading.list_jobs(JobQuery(), with_places=True)
    return {job.job_id: listing.places[job.uid].position for job in listing.page.jobs if job.uid in listing.places}


async def test_a_submission_is_answered_with_its_place(tmp_path: Path) -> None:
    async with hosting(warm=False, max_concurrent_jobs=2, queues=QUEUES) as host:
        for number in range(1, 5):
            answer = await answered(
                lambda reply, number=number: host.engine.submit(  # type: ignore[misc]
                    submission(str(number)),
                    json.dumps(None).encode(),
                    start=True,
                    reply=host.engine.reading.placed(reply),
                )
            )
            # Two slots are free: the first two begin at once, the next two after a job's time.
            wait = 0.0 if number <= 2 else AVERAGE_SECONDS
            assert answer.place == Place(position=number, estimated_wait_seconds=wait)


async def test_slots_and_pauses_count(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release), queue="narrow")
    await host.working("running")
    for number in range(1, 4):
        await host.submit(str(number), "echo", queue="narrow")
    cycle = AVERAGE_SECONDS + PAUSE_SECONDS
    assert [await place(host, str(number)) for number in range(1, 4)] == [
        (number, number * cycle) for number in range(1, 4)
    ]
    # The other slot is free for the jobs of others, but for one at a time.
    await host.submit("also running", "hold", str(release))
    await host.working("also running")
    await host.submit("other", "echo")
    assert await place(host, "other") == (1, AVERAGE_SECONDS)
    found = await report(host, "narrow")
    assert (found.pending, found.estimated_wait_seconds) == (3, 4 * cycle)
    release.touch()
    await ends(host, ["running", "also running", "other"])
    position, wait = await place(host, "1") or (0, 0.0)
    # Its queue waits after its last job, and that is all.
    assert position == 1
    assert 0 < wait <= PAUSE_SECONDS


async def test_the_average_follows_what_jobs_take(host: Host) -> None:
    for number in range(2):
        await host.submit(str(number), "echo")
        await host.end(str(number))
    average = (await report(host, "default")).avg_job_duration_seconds
    assert average == pytest.approx(0.8 * 0.8 * AVERAGE_SECONDS, abs=1)


async def test_priority_and_stops_move_those_who_wait(host: Host) -> None:
    await host.engine.set_queue("default", paused=True)
    for job_id, priority in (("a", 0), ("b", 0), ("urgent", 1), ("c", 0)):
        await host.submit(job_id, "echo", priority=priority)
    await host.submit("other", "echo", queue="narrow", delay_seconds=HOUR_SECONDS)
    assert await places(host) == {"urgent": 1, "a": 2, "b": 3, "c": 4, "other": 1}
    await host.stop("a")
    assert await places(host) == {"urgent": 1, "b": 2, "c": 3, "other": 1}


async def test_of_a_job_that_is_not_queued_yet_the_place_is_told_that_it_would_have(host: Host) -> None:
    await host.engine.set_queue("default", paused=True)
    for number in range(3):
        await host.submit(f"queued {number}", "echo")
    await host.add("created", "echo")
    await host.submit("scheduled", "echo", delay_seconds=HOUR_SECONDS)
    await host.submit("urgent", "echo", delay_seconds=HOUR_SECONDS, priority=1)
    assert await places(host) == {
        "queued 0": 1,
        "queued 1": 2,
        "queued 2": 3,
        "created": 4,
        "scheduled": 4,
        "urgent": 1,
    }
    _, wait = await place(host, "scheduled") or (0, 0.0)
    assert wait == pytest.approx(HOUR_SECONDS, abs=60)


async def test_a_job_that_does_not_wait_has_no_place(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("running", "hold", str(release))
    await host.working("running")
    assert await place(host, "running") is None
    release.touch()
    await host.end("running")
    assert await place(host, "running") is None
    assert await places(host) == {}


async def test_what_is_committed_is_answered_even_if_nobody_can_tell_its_place() -> None:
    store = FragileStore()
    async with hosting(store, warm=False) as host:
        await host.submit("a")
        status = await host.status("a")
        store.read_failure = DISK_FULL
        assert await answered(lambda reply: host.engine.reading.placed(reply)(status)) == status
