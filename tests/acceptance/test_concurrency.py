"""``max_concurrent_jobs`` holds, seen from the jobs themselves, and many may wait for one job."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from pathlib import Path

import httpx
import pytest

from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate, until

SLOTS = 4
JOBS = 24
WAITERS = 300


def most_at_once(stamps: str) -> int:
    """The largest number of lines, each a start and an end, that overlap."""
    spans = [tuple(map(float, line.split())) for line in stamps.splitlines()]
    assert len(spans) == JOBS
    changes = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    return max(accumulate(change for _, change in changes))


def test_as_many_jobs_run_at_once_as_may_and_the_others_wait(server: Server, gate: Gate) -> None:
    jobs = [server.submit("hold", gate=str(gate)) for _ in range(SLOTS + 2)]
    for job_id in jobs[:SLOTS]:
        server.running(job_id)
    waiting = [server.status(job_id) for job_id in jobs[SLOTS:]]
    assert [(record["status"], record["phase"]) for record in waiting] == [("pending", "queued")] * 2
    assert server.data("queue_list_jobs", command="hold", status_filter="running")["total_count"] == SLOTS
    gate.open()
    for job_id in jobs:
        server.completed(job_id)


@pytest.mark.parametrize("kind", ["async", "blocking", "mixed"])
def test_never_more_jobs_run_at_once_than_may(server: Server, tmp_path: Path, kind: str) -> None:
    stamps = tmp_path / "stamps"
    blocking = {"async": [False], "blocking": [True], "mixed": [False, True]}[kind]
    jobs = [
        server.submit("stamp", path=str(stamps), seconds=0.1, blocking=blocking[number % len(blocking)])
        for number in range(JOBS)
    ]
    for job_id in jobs:
        server.completed(job_id)
    assert most_at_once(stamps.read_text()) <= SLOTS


async def test_hundreds_wait_for_one_job_and_all_hear_of_its_end(server: Server, gate: Gate) -> None:
    job_id = server.submit("hold", gate=str(gate))
    version = server.running(job_id)["version"]
    params = {"job_id": job_id, "wait_seconds": 15, "known_version": version}
    body = {"jsonrpc": "2.0", "id": 1, "method": "queue_get_job_status", "params": params}
    limits = httpx.Limits(max_connections=WAITERS)
    async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30) as client:
        calls = [asyncio.create_task(client.post("/api/jsonrpc", json=body)) for _ in range(WAITERS)]
        await asyncio.to_thread(until, lambda: server.health()["waiting_calls"] == WAITERS, "all wait")
        gate.open()
        async with asyncio.timeout(10):
            replies = await asyncio.gather(*calls)
    records = [reply.json()["result"]["data"] for reply in replies]
    assert {(record["status"], record["timed_out"]) for record in records} == {("completed", False)}
    assert server.health()["waiting_calls"] == 0
