"""Attempts that fail and are tried again, by themselves or by request, and attempts that are given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine import dispatch
from mcp_queue_plugin.errors import JobNotFound, JobStateInvalid
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from tests.unit.engine.harness import Host, hosting
from tests.unit.engine.queueing import MakeStore, becomes, retry
from tests.unit.workers.harness import until

BASE_SECONDS = 0.05
LONG_SECONDS = 3600.0


@pytest.fixture
async def host(make_store: MakeStore) -> AsyncIterator[Host]:
    async with hosting(make_store(system_clock())) as host:
        yield host


@pytest.fixture
def full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance decides for the longest wait every time."""
    monkeypatch.setattr(dispatch, "_jitter", lambda: 1.0)


async def scheduled_waits(host: Host, job_id: str) -> list[float]:
    """The waits of a job between its attempts, in seconds, until it has ended."""
    waits: dict[int, float] = {}
    job = (await host.status(job_id)).job
    while job.completed_at is None:
        if job.state is State.SCHEDULED:
            assert job.not_before is not None
            assert job.queued_at is not None
            waits[job.retries] = job.not_before - job.queued_at
        job = (await host.status(job_id, wait_seconds=20, known_version=job.version)).job
    return list(waits.values())


def runs(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.usefixtures("full_jitter")
async def test_a_failing_job_is_tried_again_after_growing_waits_and_fails_at_last(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    options = JobOptions(max_retries=4, retry_base_seconds=BASE_SECONDS, retry_max_seconds=5 * BASE_SECONDS)
    await host.submit(
        "a",
        "fail_until",
        [str(path), 99],
        max_retries=options.max_retries,
        retry_base_seconds=options.retry_base_seconds,
        retry_max_seconds=options.retry_max_seconds,
    )
    waits = await scheduled_waits(host, "a")
    assert waits == pytest.approx([BASE_SECONDS * factor for factor in (1, 2, 4, 5)], abs=1e-3)
    job = (await host.end("a")).job
    assert (job.state, job.attempt, job.retries, job.options.max_retries) == (State.FAILED, 5, 4, 4)
    assert job.error is not None
    assert job.error.message == "run 5 of 99"
    assert runs(path) == 5
    assert host.ended == [("a", "failed")]
    log = await host.engine.reading.log("a", LogQuery())
    assert sum("ValueError: run" in entry.line for entry in log.entries) == 5


async def test_chance_spreads_the_waits_below_their_longest(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_jitter", lambda: 0.25)
    await host.submit("a", "fail_until", [str(tmp_path / "runs"), 2], max_retries=1, retry_base_seconds=BASE_SECONDS)
    assert await scheduled_waits(host, "a") == pytest.approx([BASE_SECONDS / 4], abs=1e-3)


async def test_a_job_that_completes_on_its_second_attempt_bears_no_error(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    await host.submit("a", "fail_until", [str(path), 2], max_retries=3, retry_base_seconds=BASE_SECONDS)
    between = await becomes(host, "a", "scheduled")
    assert (between.attempt, between.retries, between.completed_at) == (1, 1, None)
    assert between.error is not None
    assert between.error.type == "ValueError"
    ended = await host.end("a")
    assert (ended.job.state, ended.job.attempt, ended.job.retries, ended.result) == (State.COMPLETED, 2, 1, b"2")
    assert ended.job.error is None


async def test_without_retries_a_failure_is_final(host: Host, tmp_path: Path) -> None:
    await host.submit("a", "fail_until", [str(tmp_path / "runs"), 2])
    job = (await host.end("a")).job
    assert (job.state, job.attempt, job.retries) == (State.FAILED, 1, 0)


@pytest.mark.parametrize(
    ("retry_on", "attempts"),
    [(("ValueError",), 2), (("Exception",), 2), (("OSError", "ValueError"), 2), (("OSError",), 1), (("Value",), 1)],
)
async def test_only_errors_that_are_worth_it_are_tried_again(
    host: Host, tmp_path: Path, retry_on: tuple[str, ...], attempts: int
) -> None:
    await host.submit(
        "a",
        "fail_until",
        [str(tmp_path / "runs"), 2],
        max_retries=3,
        retry_base_seconds=0.0,
        retry_on=retry_on,
    )
    job = (await host.end("a")).job
    assert job.attempt == attempts
    assert job.state is (State.COMPLETED if attempts == 2 else State.FAILED)


async def test_a_job_is_stopped_while_it_waits_for_its_retry(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    await host.submit("a", "fail_until", [str(path), 9], max_retries=3, retry_base_seconds=LONG_SECONDS)
    await becomes(host, "a", "scheduled")
    stopped = await host.stop("a", reason="enough")
    assert (stopped.job.state, stopped.job.reason, stopped.job.attempt) == (State.STOPPED, "enough", 1)
    assert runs(path) == 1


async def test_a_job_that_waits_for_its_retry_waits_on_after_a_restart(make_store: MakeStore, tmp_path: Path) -> None:
    path, clock = tmp_path / "runs", system_clock()
    async with hosting(make_store(clock)) as host:
        await host.submit("a", "fail_until", [str(path), 2], max_retries=1, retry_base_seconds=BASE_SECONDS)
        waiting = await becomes(host, "a", "scheduled")
    assert waiting.attempt == 1
    async with hosting(make_store(clock)) as host:
        job = (await host.end("a")).job
    assert (job.state, job.attempt, job.retries) == (State.COMPLETED, 2, 1)


async def test_a_failed_job_is_queued_again_as_if_it_were_new(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    await host.submit("a", "fail_until", [str(path), 4], max_retries=1, retry_base_seconds=0.0)
    assert (await host.end("a")).job.state is State.FAILED
    again = (await retry(host, "a")).job
    assert (again.state, again.retries, again.crashes, again.completed_at, again.error) == (
        State.QUEUED,
        0,
        0,
        None,
        None,
    )
    # It has its one retry before it again, and needs it.
    job = (await host.end("a")).job
    assert (job.state, job.attempt, job.retries) == (State.COMPLETED, 4, 1)
    assert host.ended == [("a", "failed"), ("a", "completed")]


async def test_a_stopped_job_is_queued_again_and_its_late_result_is_gone(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("a", "obey", str(tmp_path / "note"))
    await host.working("a")
    await host.stop("a")
    assert (await host.status("a")).result == b'"partial"'
    await host.submit("blocker", "hold", str(release))
    await host.working("blocker")
    again = await retry(host, "a")
    assert (again.job.state, again.job.reason, again.job.has_result) == (State.QUEUED, None, False)
    assert (await host.status("a")).result is None
    release.touch()
    await host.working("a")
    await host.stop("a")


async def refusal(host: Host, job_id: str) -> dict[str, object]:
    with pytest.raises(JobStateInvalid) as refused:
        await retry(host, job_id)
    return refused.value.data


async def test_what_has_not_failed_is_not_queued_again(host: Host, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await host.submit("completed", "echo")
    await host.end("completed")
    await host.submit("running", "hold", str(release))
    await host.working("running")
    await host.submit("queued", "echo")
    await host.submit("scheduled", "echo", delay_seconds=LONG_SECONDS)
    for job_id, status in (
        ("completed", "completed"),
        ("running", "running"),
        ("queued", "pending"),
        ("scheduled", "pending"),
    ):
        said = await refusal(host, job_id)
        assert (said["action"], said["current_status"]) == ("retry", status)
        assert said["allowed_statuses"] == ["failed", "stopped"]
    release.touch()


async def test_what_is_not_there_is_not_queued_again(host: Host) -> None:
    await host.add("deleted")
    await host.delete("deleted")
    for job_id in ("nobody", "deleted"):
        with pytest.raises(JobNotFound):
            await retry(host, job_id)


async def test_what_an_orderly_shutdown_has_given_back_runs_in_the_next_engine_uncounted(
    make_store: MakeStore, tmp_path: Path
) -> None:
    path, clock = tmp_path / "runs", system_clock()
    release = tmp_path / "release"
    async with hosting(make_store(clock), max_concurrent_jobs=2, min_workers=2) as host:
        await host.submit("repeatable", "append_and_hold", str(path), max_retries=2)
        await host.submit("fragile", "hold", str(release), on_interrupt="fail", max_retries=2)
        await until(path.exists)
        await becomes(host, "repeatable", "working")
        await becomes(host, "fragile", "working")
        await host.close(0.05)
    async with hosting(make_store(clock)) as host:
        job: Job = await becomes(host, "repeatable", "working")
        assert (job.attempt, job.retries, job.crashes) == (2, 0, 0)
        await until(lambda: runs(path) == 2)
        fragile = (await host.end("fragile")).job
        assert fragile.error is not None
        assert (fragile.state, fragile.error.type, fragile.retries) == (State.FAILED, "Interrupted", 0)
        await host.stop("repeatable", grace_seconds=0)
