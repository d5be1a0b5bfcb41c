"""One server per store, and none that is dead."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from mcp_queue_plugin.errors import StoreInUse
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite import ownership as ownership_module
from mcp_queue_plugin.store.sqlite.ownership import Owner, Ownership, Succession
from tests.contract.samples import add, applied
from tests.unit.store.conftest import NewStore, another_server


def ownership(path: Path, *, takes_over: bool = False) -> Ownership:
    return Ownership(path, Owner.of(os.getpid()), takes_over=takes_over)


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the store at ``path`` and runs a job."""
    with another_server(path) as process:
        yield process


async def test_a_store_in_use_is_refused_with_its_owner(holder: subprocess.Popen[str], new_store: NewStore) -> None:
    with pytest.raises(StoreInUse) as refusal:
        await new_store().open()
    started_at = datetime.fromisoformat(refusal.value.data["started_at"]).timestamp()
    assert refusal.value.data["pid"] == holder.pid
    assert started_at == pytest.approx(psutil.Process(holder.pid).create_time(), abs=0.01)
    assert f"the server with process id {holder.pid}, which started at 20" in refusal.value.message
    assert "need a Redis store" in refusal.value.message


async def test_a_killed_owner_frees_its_store_at_once(holder: subprocess.Popen[str], new_store: NewStore) -> None:
    holder.kill()
    holder.wait()
    store = new_store()
    (recovered,) = await store.open()
    assert (recovered.job_id, recovered.state, recovered.crashes) == ("running", State.QUEUED, 1)
    await applied(store, add("next"))


async def test_a_second_store_of_the_same_process_is_refused(path: Path, new_store: NewStore) -> None:
    store = new_store()
    await store.open()
    other_name = path.with_name("other.db")
    other_name.symlink_to(path)
    for same in (path, other_name):
        with pytest.raises(StoreInUse):
            await new_store(same).open()
    await applied(store, add("a"))
    await store.close()
    await new_store(other_name).open()


def test_a_store_that_is_just_being_taken_has_no_name_to_give(path: Path) -> None:
    first, second = ownership(path), ownership(path)
    first.take()
    with pytest.raises(StoreInUse, match="is being taken by another server"):
        second.take()
    first.release()
    second.take()
    second.release()
    second.release()
    assert list(path.parent.iterdir()) == []


def test_an_owner_whose_server_is_gone_gets_the_time_to_let_go(path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dying = Ownership(path, Owner.of(gone.pid))
    dying.take()
    dying.sign()
    gone.communicate(b"\n")
    threading.Timer(0.1, dying.release).start()
    following = ownership(path)
    following.take()
    assert following.former() is None
    following.release()


def test_one_that_does_not_let_go_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership_module, "LEAVING_SECONDS", 0.05)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    stuck = Ownership(path, Owner.of(gone.pid))
    gone.wait()
    stuck.take()
    stuck.sign()
    with pytest.raises(StoreInUse, match=f"process id {gone.pid}"):
        ownership(path).take()
    stuck.release()


def test_an_engine_waits_for_a_former_one_of_the_same_server(path: Path) -> None:
    former = ownership(path)
    former.take()
    former.sign()
    threading.Timer(0.1, former.release).start()
    following = ownership(path, takes_over=True)
    following.take()
    following.release()


def test_a_store_whose_server_lives_without_an_engine_is_not_taken(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        lock = path.with_name("jobs.db.lock")
        signed = msgspec.json.encode(Owner.of(server.pid))
        lock.write_bytes(signed)
        for _ in range(2):
            with pytest.raises(StoreInUse, match=f"process id {server.pid}"):
                ownership(path).take()
            assert lock.read_bytes() == signed
        server.communicate(b"\n")
    following = ownership(path)
    following.take()
    assert following.former() == msgspec.json.decode(signed, type=Owner)
    following.release()


async def test_the_mark_of_a_killed_owner_is_told_before_anything_is_written(
    holder: subprocess.Popen[str], path: Path, new_store: NewStore
) -> None:
    before = path.with_name("jobs.db.lock").read_bytes()
    holder.kill()
    holder.wait()
    told: list[tuple[str, bytes]] = []
    lock = path.with_name("jobs.db.lock")
    await new_store(succession=Succession(on_abandoned=lambda mark: told.append((mark, lock.read_bytes())))).open()
    assert told == [(json.loads(before)["mark"], before)]


def test_a_lock_on_a_file_that_its_owner_just_removed_does_not_count(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = path.with_name("jobs.db.lock")
    removals = [lock.unlink]
    flock = fcntl.flock

    def remove_and_lock(descriptor: int, operation: int) -> None:
        while removals:
            removals.pop()()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    owned = ownership(path)
    owned.take()
    owned.sign()
    assert b"pid" in lock.read_bytes()
    owned.release()
    assert not lock.exists()
