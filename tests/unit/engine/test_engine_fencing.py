"""What an attempt says too late is heard by nobody: late frames, late commits, and claims that are refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.unit.engine.harness import hosting
from tests.unit.store.faults import FaultyVfs
from tests.unit.workers.harness import until


@pytest.fixture
def vfs(request: pytest.FixtureRequest) -> Iterator[FaultyVfs]:
    faulty = FaultyVfs(f"faulty engine {os.getpid()} {request.node.name}")
    yield faulty
    faulty.faults.clear()
    faulty.unregister()


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    return {"runs": str(tmp_path / "runs"), "release": str(tmp_path / "release")}


def release(paths: dict[str, str]) -> None:
    Path(paths["release"]).touch()


def runs(paths: dict[str, str]) -> int:
    return len(Path(paths["runs"]).read_text().splitlines())


async def test_frames_of_an_attempt_that_is_over_are_dropped(paths: dict[str, str]) -> None:
    release(paths)
    async with hosting() as host:
        await host.submit("a", "die_then_speak_for_the_dead", paths)
        ended = await host.end("a")
        assert (ended.job.attempt, ended.job.crashes, ended.job.step, ended.result) == (2, 1, "", b'"second"')
        assert host.ended == [("a", "completed")]


async def test_no_attempt_begins_before_the_end_of_the_one_before_it_is_committed(
    vfs: FaultyVfs, tmp_path: Path, paths: dict[str, str]
) -> None:
    store = SqliteStore(tmp_path / "queue.db", durability="full", clock=system_clock(), vfs=vfs.name)
    async with hosting(store) as host:
        await host.submit("a", "die_then_speak_for_the_dead", paths)
        job = await host.working("a")
        while job.description != "holding":
            job = (await host.status("a", wait_seconds=5, known_version=job.version)).job
        vfs.faults["sync -wal"] = disk_is_ready = threading.Event()
        release(paths)
        await until(vfs.hangs.is_set)
        # The worker that takes its place is ready, and has nothing to do.
        await until(lambda: host.engine._dispatcher.pool.free() == 1)
        assert (await host.status("a")).job.state is State.WORKING
        assert runs(paths) == 1
        disk_is_ready.set()
        ended = await host.end("a")
        assert (ended.job.attempt, ended.result, runs(paths)) == (2, b'"second"', 2)
