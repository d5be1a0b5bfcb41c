"""Jobs that lie ready in a worker, as the engine sees them: still queued, whatever happens to them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from tests.unit.engine.harness import Host, hosting
from tests.unit.engine.queueing import ends
from tests.unit.engine.races import left_behind, racetrack
from tests.unit.workers.harness import halt, until

TRIES = 50


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with hosting() as host:
        yield host
        await until(lambda: not left_behind(host))


class Scene:
    """A worker that runs ``holder``, and behind it ``first`` and ``second``, which lie ready."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.release = folder / "release"
        self.runs = folder / "runs"

    async def play(self, **options: object) -> None:
        """Bring it about; the worker may look up too early, and then it is tried again."""
        for _ in range(TRIES):
            self.release.unlink(missing_ok=True)
            await self._make_quick()
            asked = [self.host.submit("holder", "hold_silently", str(self.release))]
            asked += [self.host.submit(job_id, "append", str(self.runs), **options) for job_id in ("first", "second")]
            await asyncio.gather(*asked)
            if self.ready == ["first", "second"]:
                return
            self.release.touch()
            await ends(self.host, ["holder", "first", "second"])
            for job_id in ("holder", "first", "second"):
                await self.host.delete(job_id)
            self.runs.unlink()
        raise AssertionError("they never lay ready")

    @property
    def ready(self) -> list[str]:
        return [job.job_id for job, _ in self.host.engine._dispatcher._given.values()]

    def has_run(self) -> int:
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0

    async def _make_quick(self) -> None:
        for number in range(12):
            await self.host.submit(f"quick {number}")
            await self.host.end(f"quick {number}")
            await self.host.delete(f"quick {number}")


async def test_what_lies_ready_is_queued_and_runs_when_its_turn_has_come(host: Host, tmp_path: Path) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    jobs = [(await host.status(job_id)).job for job_id in ("first", "second")]
    assert [(job.state, job.attempt, job.started_at) for job in jobs] == [(State.QUEUED, 0, None)] * 2
    await until(lambda: not scene.ready)
    assert scene.has_run() == 0
    scene.release.touch()
    holder, *others = await ends(host, ["holder", "first", "second"])
    assert [(job.state, job.attempt) for job in others] == [(State.COMPLETED, 1)] * 2
    assert others[0].started_at is not None
    assert holder.completed_at is not None
    assert others[0].started_at >= holder.completed_at - 0.1
    assert scene.has_run() == 2


@pytest.mark.parametrize("verb", ["stop", "delete"])
async def test_a_job_that_lies_ready_and_is_stopped_never_runs(host: Host, tmp_path: Path, verb: str) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    scene.release.touch()
    answer = await getattr(host, verb)("second")
    assert answer.job.state is (State.STOPPED if verb == "stop" else State.DELETED)
    began = answer.job.attempt == 1
    await ends(host, ["holder", "first"])
    await host.submit("last")
    await host.end("last")
    assert scene.has_run() == 1 + began


async def test_a_stop_meets_a_job_that_lies_ready_before_it_begins(host: Host, tmp_path: Path) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    answer = await host.stop("first")
    assert (answer.job.state, answer.job.attempt) == (State.STOPPED, 0)
    scene.release.touch()
    assert [job.state for job in await ends(host, ["holder", "second"])] == [State.COMPLETED] * 2
    assert scene.has_run() == 1


async def test_none_that_lies_ready_begins_once_its_queue_is_paused(host: Host, tmp_path: Path) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    await host.engine.set_queue("default", paused=True)
    assert scene.ready == []
    scene.release.touch()
    await host.end("holder")
    assert scene.has_run() == 0
    assert (await host.engine.health()).counts.by_state[State.QUEUED] == 2
    await host.engine.set_queue("default", paused=False)
    await ends(host, ["first", "second"])
    assert scene.has_run() == 2


async def test_a_job_that_is_evicted_while_it_lies_ready_never_runs_and_its_worker_stays(tmp_path: Path) -> None:
    async with hosting(limits=LimitRules(max_jobs=3)) as host:
        scene = Scene(host, tmp_path)
        await scene.play()
        pids = host.engine._dispatcher.pool.statistics().pids
        await host.submit("new")
        evicted = await host.end("first")
        assert (evicted.job.state, evicted.job.reason, evicted.job.attempt) == (State.STOPPED, "evicted", 0)
        scene.release.touch()
        await ends(host, ["holder", "second", "new"])
        assert scene.has_run() == 1
        assert host.engine._dispatcher.pool.statistics().pids == pids


async def test_a_job_that_must_not_run_twice_does_not_lie_ready(host: Host, tmp_path: Path) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    scene.release.touch()
    await ends(host, ["holder", "first", "second"])
    scene.release.unlink()
    await scene._make_quick()
    await asyncio.gather(
        host.submit("long", "hold_silently", str(scene.release)), host.submit("once", on_interrupt="fail")
    )
    assert scene.ready == []
    scene.release.touch()
    assert [job.attempt for job in await ends(host, ["long", "once"])] == [1, 1]


async def test_what_lies_ready_when_the_engine_closes_is_still_queued(tmp_path: Path) -> None:
    store = MemoryStore(system_clock())
    async with hosting(store) as host:
        await Scene(host, tmp_path).play()
    found = [await store.get(job_id) for job_id in ("first", "second")]
    assert [job and (job.state, job.attempt) for job in found] == [(State.QUEUED, 0)] * 2


async def test_a_job_that_is_taken_back_goes_before_those_that_came_later(host: Host, tmp_path: Path) -> None:
    scene = Scene(host, tmp_path)
    await scene.play()
    await host.submit("later", "append", str(scene.runs))
    await until(lambda: not scene.ready)
    scene.release.touch()
    jobs = await ends(host, ["first", "second", "later"])
    assert sorted(jobs, key=lambda job: job.started_at or 0) == jobs


@pytest.mark.parametrize("number", range(6))
async def test_a_job_whose_worker_dies_before_it_takes_it_runs_once(tmp_path: Path, number: int) -> None:
    runs = tmp_path / "runs"
    async with racetrack(MemoryStore(system_clock())) as host:
        dispatcher = host.engine._dispatcher
        await host.submit("first")
        await host.end("first")
        await until(lambda: dispatcher.pool.free() >= 2)
        for pid in dispatcher.pool.statistics().pids:
            halt(pid)
        await host.submit("a", "append", str(runs))
        await asyncio.sleep(number * 0.002)
        (has_it,) = dispatcher.pool._members.busy
        for pid in dispatcher.pool.statistics().pids:
            os.kill(pid, signal.SIGKILL if pid == has_it.pid else signal.SIGCONT)
        job = (await host.end("a")).job
        assert (job.state, job.crashes) == (State.COMPLETED, 0)
        assert len(runs.read_text().splitlines()) == 1
