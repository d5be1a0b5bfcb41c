"""What a killed in-memory queue leaves behind goes with the next one, and nothing else does."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.leftovers import UNSIGNED_SECONDS, new_temporary_path, remove_leftovers
from mcp_queue_plugin.store.sqlite import Owner
from mcp_queue_plugin.workers import orphans
from tests.unit.adapter.sample_jobs import AdapterJob

SUFFIXES = ("", "-wal", "-shm", ".lock")
STORE = "mcp-queue-0123456789abcdef.db"
OTHER = "mcp-queue-fedcba9876543210.db"
KILLED = Owner(pid=2**22 + 1, started_at="2026-01-01T00:00:00Z", life="", mark="of the killed")
"""No process has such an id."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def leave(folder: Path, name: str, *suffixes: str, age_seconds: float = 0.0) -> None:
    """Make files as a killed owner leaves them."""
    for suffix in suffixes or SUFFIXES:
        path = folder / (name + suffix)
        path.write_bytes(msgspec.json.encode(KILLED) if suffix == ".lock" else b"left")
        os.utime(path, (time.time() - age_seconds,) * 2)


async def opened() -> QueueManagerIntegration:
    manager = QueueManagerIntegration(max_concurrent_jobs=1, shutdown_timeout=0.0)
    await manager.open()
    return manager


async def test_the_next_queue_removes_what_a_killed_one_left_and_spares_the_living(folder: Path) -> None:
    living = await opened()
    await living.add_job(AdapterJob, "kept", {})
    of_living = names(folder)
    of_killed = leave_store_of_killed_server(folder)
    assert of_killed <= names(folder)
    following = await opened()
    try:
        assert not of_killed & names(folder)
        assert of_living <= names(folder)
        assert (await living.get_job_status("kept")).status == "pending"
        assert (await living.add_job(AdapterJob, "more", {})).status == "pending"
    finally:
        await living.stop()
        await following.stop()
    assert names(folder) == set()


def leave_store_of_killed_server(folder: Path) -> set[str]:
    """Kill a server with a queue of its own, its warden and its engine; answers the names of its files."""
    script = (
        "import asyncio; from tests.unit.adapter.test_adapter_leftovers import opened\n"
        "async def main(): manager = await opened(); print(manager.engine.pid, flush=True); await asyncio.sleep(3600)\n"
        "asyncio.run(main())"
    )
    before, environment = names(folder), {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        warden = psutil.Process(int(server.stdout.readline()))
        processes = [warden, *warden.children(), psutil.Process(server.pid)]
        for process in processes:
            process.kill()
        # The store is locked for as long as its owner takes to end.
        _, left = psutil.wait_procs(processes, timeout=10)
        assert not left
    return names(folder) - before


async def test_the_store_of_a_server_that_has_just_lost_its_engine_is_its_own(folder: Path) -> None:
    manager = await opened()
    await manager.add_job(AdapterJob, "kept", {})
    assert manager.engine.pid is not None
    warden = psutil.Process(manager.engine.pid)
    for process in (*warden.children(), warden):
        process.kill()
    remove_leftovers(folder, time.time())
    assert (await manager.get_job_status("kept")).status == "pending"
    await manager.stop()


def test_what_a_killed_server_s_jobs_have_left_goes_with_its_store(folder: Path) -> None:
    leave(folder, STORE)
    environment = {**os.environ, orphans.MARK: KILLED.mark}
    with subprocess.Popen(["/bin/sleep", "3600"], env=environment, start_new_session=True) as daemon:
        remove_leftovers(folder, time.time())
        assert daemon.wait(5) == -signal.SIGKILL
    assert names(folder) == set()


def test_all_files_of_a_store_without_an_owner_go_and_those_of_an_owned_one_stay(folder: Path) -> None:
    leave(folder, STORE)
    leave(folder, OTHER, age_seconds=9999)
    with (folder / f"{OTHER}.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert new_temporary_path().parent == folder
    assert names(folder) == {OTHER + suffix for suffix in SUFFIXES}


@pytest.mark.parametrize("suffixes", [("",), ("", "-wal"), ("-wal",), ("-shm", "-wal")])
def test_files_without_a_lock_go_once_they_are_old(folder: Path, suffixes: tuple[str, ...]) -> None:
    leave(folder, STORE, *suffixes)
    now = time.time()
    remove_leftovers(folder, now)
    assert names(folder) == {STORE + suffix for suffix in suffixes}
    remove_leftovers(folder, now + UNSIGNED_SECONDS + 1)
    assert names(folder) == set()


def test_the_youngest_file_tells_the_age_of_a_store_without_a_lock(folder: Path) -> None:
    leave(folder, STORE, "", age_seconds=9999)
    leave(folder, STORE, "-wal")
    remove_leftovers(folder, time.time())
    assert names(folder) == {STORE, f"{STORE}-wal"}


def test_an_owner_that_has_just_made_its_lock_is_not_disturbed(folder: Path) -> None:
    (folder / f"{STORE}.lock").touch()
    remove_leftovers(folder, time.time())
    assert names(folder) == {f"{STORE}.lock"}
    remove_leftovers(folder, time.time() + UNSIGNED_SECONDS + 1)
    assert names(folder) == set()


def test_what_is_called_otherwise_or_is_no_file_stays(folder: Path) -> None:
    leave(folder, "queue.db", age_seconds=9999)
    leave(folder, "mcp-queue-notes.db", age_seconds=9999)
    (folder / STORE).mkdir()
    (folder / OTHER).symlink_to(folder / "queue.db")
    before = names(folder)
    remove_leftovers(folder, time.time() + 9999)
    assert names(folder) == before


def test_what_cannot_be_removed_is_logged_and_passed_over(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave(folder, STORE, "", ".lock")
    (folder / f"{STORE}-wal").mkdir()
    leave(folder, OTHER)
    remove_leftovers(folder, time.time())
    assert not {OTHER + suffix for suffix in SUFFIXES} & names(folder)
    assert f"The temporary store {folder / STORE} of an earlier server cannot be removed" in caplog.text


def test_a_folder_that_cannot_be_read_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    remove_leftovers(folder / "nowhere", time.time())
    assert "The folder of temporary stores cannot be read" in caplog.text
