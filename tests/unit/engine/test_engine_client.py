"""The engine in its own process, asked over the border."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.notices import ClientEvents
from mcp_queue_plugin.errors import EngineError, EngineNotRunning, JobAlreadyExists, JobNotFound, StoreUnavailable
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.workers.protocol import Setup
from tests.unit.engine.client import Notices, connected, end, started, submit
from tests.unit.engine.harness import SETUP, submission
from tests.unit.workers.harness import until


@pytest.fixture
async def notices() -> Notices:
    return Notices()


@pytest.fixture
async def client(tmp_path: Path, notices: Notices) -> AsyncIterator[EngineClient]:
    async with connected(tmp_path, notices) as client:
        yield client


async def test_a_job_crosses_the_border_and_comes_back_with_its_result(client: EngineClient, notices: Notices) -> None:
    await client.warm_up(SETUP)
    await submit(client, "a", params='"żółć"'.encode())
    answer = await end(client, "a")
    assert answer.result is not None
    assert answer.result.decode() == r'"\u017c\u00f3\u0142\u0107"'
    await until(lambda: notices.ready and notices.ended)
    assert notices.ended == ["a"]
    assert notices.ready[0].commands == ("echo",)


async def test_every_verb_is_served(client: EngineClient, tmp_path: Path) -> None:
    added = await client.submit(submission("a"), b"1", start=False)
    assert added.job.state is State.CREATED
    assert (await client.start_job("a")).job.state is State.QUEUED
    assert (await client.stop_job("a", reason="enough")).job.reason == "enough"
    assert (await client.status("a")).job.state is State.STOPPED
    assert (await client.log("a", LogQuery())).entries == ()
    assert [job.job_id for job in (await client.list_jobs(JobQuery())).page.jobs] == ["a"]
    assert (await client.delete_job("a", reason="away")).job.state is State.DELETED
    health = await client.health()
    assert (health.capabilities.backend, health.capabilities.durable) == ("sqlite", True)
    assert health.capabilities.path == str(tmp_path / "queue.db")


async def test_refusals_arrive_with_their_type_and_facts(client: EngineClient) -> None:
    await submit(client, "a")
    with pytest.raises(JobAlreadyExists) as refusal:
        await submit(client, "a")
    assert refusal.value.details()["value"] == "a"
    for asked in (client.status("b"), client.log("b", LogQuery()), client.start_job("b")):
        with pytest.raises(JobNotFound):
            await asked


async def test_a_wait_does_not_hold_up_other_calls(client: EngineClient) -> None:
    await client.submit(submission("a"), b"1", start=False)
    waits = [asyncio.create_task(client.status("a", wait_seconds=20, until="end")) for _ in range(50)]
    async with asyncio.timeout(10):
        while (await client.health()).waiting_calls < 50:
            pass
    await client.stop_job("a", reason="")
    assert {answer.job.state for answer in await asyncio.gather(*waits)} == {State.STOPPED}


async def test_a_cancelled_call_harms_no_other(client: EngineClient) -> None:
    await client.submit(submission("a"), b"1", start=False)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.status("a", wait_seconds=20), 0.05)
    await client.start_job("a")
    assert (await client.status("a")).job.state is State.QUEUED


async def test_large_parameters_and_results_cross(client: EngineClient) -> None:
    await client.warm_up(SETUP)
    text = b'"' + b"x" * 8_000_000 + b'"'
    await submit(client, "large", params=text)
    assert (await end(client, "large")).result == text


async def test_ends_of_many_jobs_with_long_names_are_all_told(client: EngineClient, notices: Notices) -> None:
    names = [f"{number:03}".ljust(200, "ж") for number in range(300)]
    await asyncio.gather(*(client.submit(submission(name), b"1", start=False) for name in names))
    await asyncio.gather(*(client.stop_job(name, reason="") for name in names))
    await until(lambda: len(notices.ended) == len(names))
    assert sorted(notices.ended) == names


async def test_a_listener_that_raises_takes_no_answer_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Raising(ClientEvents):
        def on_ended(self, job_ids: tuple[str, ...]) -> None:
            raise RuntimeError("a listener of the application")

    async with connected(tmp_path, Raising()) as client:
        await asyncio.gather(*(client.submit(submission(str(n)), b"1", start=False) for n in range(20)))
        async with asyncio.timeout(5):
            stopped = await asyncio.gather(*(client.stop_job(str(number), reason="") for number in range(20)))
        assert {answer.job.state for answer in stopped} == {State.STOPPED}
        assert "a listener of the application" in caplog.text


async def test_jobs_of_the_servers_own_process_are_recorded(client: EngineClient, notices: Notices) -> None:
    client.adopt(submission("a"), b"{}", "runs here")
    stop = asyncio.create_task(client.stop_job("a", reason="enough"))
    await until(lambda: notices.stop_adopted == ["a"])
    client.end_adopted("a", EndingKind.COMPLETED, "ended anyway", error=None, result=b"1")
    stopped = await stop
    assert (stopped.job.state, stopped.job.description) == (State.STOPPED, "ended anyway")
    client.adopt(submission("b"), b"{}", "runs here")
    client.end_adopted("b", EndingKind.FAILED, "failed", error="no luck", result=None)
    await submit(client, "marker")
    failed = await end(client, "b")
    assert failed.job.error is not None
    assert failed.job.error.message == "no luck"


async def test_the_log_of_the_engine_is_the_log_of_the_server(
    client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.warm_up(Setup(runner="tests.unit.workers.runners:raising", sys_path=SETUP.sys_path))
    await until(lambda: "A worker did not start" in caplog.text)
    (record,) = [record for record in caplog.records if "A worker did not start" in record.message][:1]
    assert (record.levelno, record.name) == (logging.ERROR, "mcp_queue_plugin.engine.dispatch")


async def test_a_text_with_a_percent_sign_is_logged_as_it_is(
    client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.submit(submission("100 %s"), b"1", start=False)
    client.adopt(submission("100 %s"), b"{}", "")
    await until(lambda: "Job 100 %s of the server's own process could not be recorded" in caplog.text)


async def test_two_threads_with_loops_of_their_own_share_one_engine(client: EngineClient) -> None:
    await client.warm_up(SETUP)
    failures: list[BaseException] = []

    async def use(prefix: str) -> None:
        names = [f"{prefix}-{number}" for number in range(50)]
        await asyncio.gather(*(submit(client, name) for name in names))
        ends = await asyncio.gather(*(end(client, name) for name in names))
        assert {answer.result for answer in ends} == {b"1"}

    def run(prefix: str) -> None:
        try:
            asyncio.run(use(prefix))
        except BaseException as error:  # noqa: BLE001 (shown by the test itself)
            failures.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    await use("home")
    await asyncio.gather(*(asyncio.to_thread(thread.join, 20) for thread in threads))
    assert not failures
    assert (await client.health()).counts.by_state == {"completed": 150}


def test_the_queue_lives_on_when_its_first_loop_has_ended(tmp_path: Path) -> None:
    kept: list[EngineClient] = []

    async def first() -> None:
        kept.append(await started(tmp_path))
        await kept[0].warm_up(SETUP)
        await submit(kept[0], "a")

    async def second() -> None:
        assert (await end(kept[0], "a")).result == b"1"
        await kept[0].close(0)

    asyncio.run(first())
    asyncio.run(second())


def test_a_call_on_another_loop_is_answered_when_the_first_loop_has_ended(tmp_path: Path) -> None:
    kept: list[EngineClient] = []
    waiting = threading.Event()
    outcomes: list[object] = []

    async def wait() -> None:
        call = asyncio.create_task(kept[0].status("a", wait_seconds=1.0))
        await asyncio.sleep(0)
        waiting.set()
        outcomes.append((await asyncio.wait_for(call, 6)).timed_out)

    def run() -> None:
        try:
            asyncio.run(wait())
        except (TimeoutError, EngineError) as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)

    async def first() -> None:
        kept.append(await started(tmp_path))
        await kept[0].submit(submission("a"), b"1", start=False)
        thread.start()
        await asyncio.to_thread(waiting.wait, 10)
        async with asyncio.timeout(10):
            while not (await kept[0].health()).waiting_calls:
                pass

    asyncio.run(first())
    thread.join(10)
    asyncio.run(kept[0].close(0))
    assert outcomes == [True]


async def test_posting_from_a_thread_without_a_loop_works_while_the_home_loop_runs(client: EngineClient) -> None:
    await asyncio.to_thread(client.adopt, submission("a"), b"{}", "from a thread")
    async with asyncio.timeout(10):
        while not (await client.list_jobs(JobQuery())).page.jobs:
            pass
    assert (await client.status("a")).job.description == "from a thread"


async def test_a_store_that_cannot_be_read_is_an_answer_and_not_the_end(client: EngineClient, tmp_path: Path) -> None:
    await submit(client, "a")
    pid = client.pid
    for suffix in ("", "-wal", "-shm"):
        file = tmp_path / f"queue.db{suffix}"
        file.write_bytes(b"\xff" * file.stat().st_size)
    with pytest.raises(StoreUnavailable):
        await client.list_jobs(JobQuery())
    with pytest.raises(StoreUnavailable):
        await submit(client, "b")
    assert pid is not None
    assert psutil.pid_exists(pid)
    assert client.is_running


async def test_what_was_closed_is_not_running_and_closing_again_does_nothing(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        assert client.is_running
        await client.close(0)
        assert (client.is_running, client.pid) == (False, None)
        with pytest.raises(EngineNotRunning):
            await client.status("a")
        with pytest.raises(EngineNotRunning):
            client.adopt(submission("a"), b"{}", "")
        await client.close(0)


async def test_a_client_that_was_never_started_is_not_running() -> None:
    client = EngineClient(ClientEvents())
    assert (client.is_running, client.pid) == (False, None)
    with pytest.raises(EngineNotRunning):
        await client.health()
    with pytest.raises(EngineNotRunning):
        client.end_adopted("a", EndingKind.STOPPED, "", error=None, result=None)
    await client.close(0)


async def test_a_closed_client_can_be_started_again(tmp_path: Path) -> None:
    async with connected(tmp_path, warm=True) as client:
        await submit(client, "a")
        await end(client, "a")
    async with connected(tmp_path) as again:
        assert (await again.status("a")).result == b"1"


async def test_calls_that_wait_when_the_engine_is_closed_are_told(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.submit(submission("a"), b"1", start=False)
        wait = asyncio.create_task(client.status("a", wait_seconds=60))
        async with asyncio.timeout(10):
            while not (await client.health()).waiting_calls:
                pass
        await client.close(0)
        with pytest.raises(EngineError):
            await asyncio.wait_for(wait, 3)
