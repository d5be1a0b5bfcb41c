"""An engine that is lost comes back by itself, and its jobs with it; whoever kills what, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mcp_queue_plugin.engine import revival as revival_module
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import EngineLost, EngineNotRunning, EngineStartFailed, StoreRefused
from mcp_queue_plugin.model.job import IN_PROCESS_COMMAND, Submission
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.workers import orphans
from tests.unit.engine.client import Notices, connected, end, engine_of, submit, warden_of
from tests.unit.engine.harness import options, submission
from tests.unit.workers.harness import is_gone, living_children, open_descriptors, until, wait_until
from tests.unit.workers.scarcity import no_descriptor_is_free

Find = Callable[[EngineClient], psutil.Process]


async def hold(client: EngineClient, folder: Path, job_id: str = "held") -> list[psutil.Process]:
    """Run a job that does not end before the file ``go`` is there; answers all processes of the engine."""
    await submit(client, job_id, "hold", f'"{folder / "go"}"'.encode())
    await until_state(client, job_id, State.WORKING)
    return [warden_of(client), *warden_of(client).children(recursive=True)]


async def until_state(client: EngineClient, job_id: str, state: State) -> None:
    version = None
    async with asyncio.timeout(20):
        while (job := (await client.status(job_id, wait_seconds=5, known_version=version)).job).state is not state:
            version = job.version


async def until_calls_wait(client: EngineClient, count: int) -> None:
    async with asyncio.timeout(20):
        while (await client.health()).waiting_calls != count:
            pass


@pytest.mark.parametrize("find", [engine_of, warden_of])
async def test_a_lost_engine_comes_back_with_its_jobs(
    find: Find, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notices = Notices()
    async with connected(tmp_path, notices, warm=True) as client:
        before = await hold(client, tmp_path)
        await client.submit(submission("created"), b"1", start=False)
        await submit(client, "waits")
        waits = [asyncio.create_task(end(client, job_id)) for job_id in ("held", "waits")]
        log = asyncio.create_task(client.log("held", LogQuery(), wait_seconds=60))
        await until_calls_wait(client, 3)
        find(client).kill()
        await until(lambda: notices.lost)
        following = await submit(client, "later")
        assert following.job.state is State.QUEUED
        await until(lambda: all(is_gone(process.pid) for process in before), seconds=2)
        (tmp_path / "go").touch()
        held, waited = await asyncio.gather(*waits)
        assert (await log).entries == ()
        assert (held.job.state, held.job.attempt, held.job.crashes) == (State.COMPLETED, 2, 1)
        assert waited.job.attempt == 1
        assert (await end(client, "later")).result == b"1"
        assert (await client.status("created")).job.state is State.CREATED
        assert client.is_running
    assert (notices.lost, notices.revived) == (1, 1)
    assert "The queue's engine is gone" in caplog.text
    assert "signal 9" in caplog.text


async def test_jobs_of_a_store_in_memory_survive_the_loss_of_the_engine(tmp_path: Path) -> None:
    async with connected(tmp_path, warm=True, temporary=True) as client:
        await submit(client, "a")
        await end(client, "a")
        engine_of(client).kill()
        assert (await client.status("a")).result == b"1"


async def test_what_would_change_something_is_not_asked_twice(tmp_path: Path) -> None:
    notices = Notices()
    async with connected(tmp_path, notices, warm=True) as client:
        await hold(client, tmp_path)
        wait = asyncio.create_task(client.stop_job("held", reason="enough", grace_seconds=60, wait_seconds=60))
        await until_state(client, "held", State.STOPPING)
        engine_of(client).kill()
        with pytest.raises(EngineLost):
            await wait
        assert (await end(client, "held")).job.state is State.STOPPED


async def test_a_call_from_another_loop_waits_for_the_engine_too(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.submit(submission("a"), b"1", start=False)
        engine_of(client).kill()
        found = await asyncio.to_thread(asyncio.run, client.status("a"))
        assert found.job.state is State.CREATED


def test_the_next_loop_goes_on_with_a_revival_whose_loop_has_ended(tmp_path: Path) -> None:
    notices = Notices()
    client = EngineClient(notices)

    async def begin() -> None:
        await client.start(options(path=str(tmp_path / "queue.db"), temporary=False))
        await client.submit(submission("a"), b"1", start=False)
        engine_of(client).kill()
        await until(lambda: notices.lost)

    async def go_on() -> None:
        assert (await client.status("a")).job.state is State.CREATED
        await client.close(0)

    asyncio.run(begin())
    asyncio.run(go_on())


async def test_who_waits_no_longer_does_not_harm_the_others(tmp_path: Path) -> None:
    notices = Notices()
    async with connected(tmp_path, notices) as client:
        engine_of(client).kill()
        await until(lambda: notices.lost)
        impatient, patient = (asyncio.create_task(client.health()) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).issues == ()
        assert impatient.cancelled()


async def test_one_that_cannot_come_back_is_tried_again_and_callers_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revival_module, "FIRST_PAUSE_SECONDS", 0.05)
    notices, store = Notices(), tmp_path / "queue.db"
    async with connected(tmp_path, notices) as client:
        await client.submit(submission("a"), b"1", start=False)
        kept = tmp_path / "kept.db"
        for suffix in ("", "-wal", "-shm"):
            store.with_name(f"queue.db{suffix}").rename(kept.with_name(f"kept.db{suffix}"))
        store.write_text("this is no store")
        engine_of(client).kill()
        await until(lambda: notices.lost)
        for _ in range(2):
            with pytest.raises(StoreRefused):
                await client.health()
        assert client.is_running
        store.unlink()
        for suffix in ("", "-wal", "-shm"):
            kept.with_name(f"kept.db{suffix}").rename(store.with_name(f"queue.db{suffix}"))
        await until(lambda: notices.revived)
        assert (await client.status("a")).job.state is State.CREATED


async def test_one_that_is_lost_again_and_again_comes_back_after_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revival_module, "FIRST_PAUSE_SECONDS", 0.3)
    notices = Notices()
    async with connected(tmp_path, notices) as client:
        engine_of(client).kill()
        await client.health()
        engine_of(client).kill()
        await until(lambda: notices.lost == 2)
        with pytest.raises(EngineNotRunning, match=r"was lost again; it is started again in 0\.3 s"):
            await client.health()
        await until(lambda: notices.revived == 2)
        assert (await client.health()).issues == ()


async def test_a_server_without_descriptors_tries_again_until_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revival_module, "FIRST_PAUSE_SECONDS", 0.1)
    notices = Notices()
    async with connected(tmp_path, notices) as client:
        await client.submit(submission("a"), b"1", start=False)
        engine = engine_of(client).pid
        with no_descriptor_is_free():
            os.kill(engine, signal.SIGKILL)
            await until(lambda: notices.lost)
            with pytest.raises(EngineStartFailed, match="Too many open files"):
                await client.health()
        await until(lambda: notices.revived)
        assert (await client.status("a")).job.state is State.CREATED


async def test_losses_leak_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival_module, "STABLE_SECONDS", 0.0)
    notices, children, descriptors, threads = Notices(), living_children(), 0, 0
    async with connected(tmp_path, notices, warm=True) as client:
        for number in range(5):
            await submit(client, f"job {number}")
            await end(client, f"job {number}")
            engine_of(client).kill()
            await until(lambda: notices.lost > number)  # noqa: B023 (it is called at once)
            await client.health()
            gc.collect()
            if number == 1:
                descriptors, threads = open_descriptors(), threading.active_count()
        assert open_descriptors() <= descriptors
        assert threading.active_count() <= threads
    await until(lambda: living_children() <= children)


async def test_a_job_in_the_server_itself_goes_on_without_the_engine(tmp_path: Path) -> None:
    notices = Notices()
    async with connected(tmp_path, notices, warm=True) as client:
        for job_id in ("goes on", "ends meanwhile", "asked to stop"):
            adopt(client, job_id)
        await client.stop_job("asked to stop", reason="enough", grace_seconds=0, wait_seconds=0)
        assert notices.stop_adopted == ["asked to stop"]
        notices.in_process = ("goes on", "ends meanwhile", "asked to stop", "never recorded")
        engine_of(client).kill()
        await until(lambda: notices.lost)
        client.end_adopted("ends meanwhile", EndingKind.COMPLETED, "done", error=None, result=b"{}")
        adopt(client, "began meanwhile")
        assert (await end(client, "ends meanwhile")).job.state is State.COMPLETED
        for job_id in ("goes on", "began meanwhile"):
            assert (await client.status(job_id)).job.state is State.WORKING
        assert notices.stop_adopted == ["asked to stop"] * 2
        adopt(client, "goes on")
        client.end_adopted("goes on", EndingKind.COMPLETED, "done", error=None, result=b"{}")
        ended = await end(client, "goes on")
        assert (ended.job.state, ended.job.crashes) == (State.COMPLETED, 0)


def adopt(client: EngineClient, job_id: str) -> None:
    what = Submission(
        job_id=job_id,
        job_type=IN_PROCESS_COMMAND,
        target=IN_PROCESS_COMMAND,
        options=JobOptions(on_interrupt="fail"),
    )
    client.adopt(what, b"{}", "")


async def test_what_a_killed_engine_and_warden_leave_is_ended_by_the_next(tmp_path: Path) -> None:
    """Both at once: a daemon of a job then has no ancestor of ours any more."""
    async with connected(tmp_path, warm=True) as client:
        daemon = psutil.Process(int(await daemon_of(client)))
        for process in (warden_of(client), engine_of(client)):
            process.suspend()
        for process in (engine_of(client), warden_of(client)):
            process.kill()
        await client.health()
        await until(lambda: is_gone(daemon.pid), seconds=2)


async def daemon_of(client: EngineClient) -> int:
    """The pid of a daemon that a job has started and that the job waits for."""
    await submit(client, "family", "start_daemon_and_wait")
    version = None
    async with asyncio.timeout(20):
        while not (job := (await client.status("family", wait_seconds=5, known_version=version)).job).step:
            version = job.version
    return int(job.step)


def test_a_frozen_engine_whose_server_is_killed_is_ended_by_the_warden(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from tests.unit.engine.client import engine_of, started, warden_of
from tests.unit.engine.harness import SETUP
from tests.unit.engine.test_engine_revival import hold

async def main():
    client = await started(Path({str(tmp_path)!r}))
    await client.warm_up(SETUP)
    processes = await hold(client, Path({str(tmp_path)!r}))
    engine_of(client).suspend()
    print(*(process.pid for process in processes), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""
    orphans.become_subreaper()
    try:
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            pids = [int(pid) for pid in server.stdout.readline().split()]
            assert len(pids) >= 3
            server.kill()
        wait_until(lambda: all(map(is_gone, pids)), seconds=2)
    finally:
        orphans.kill_descendants_of_self()
        orphans.become_subreaper(active=False)
