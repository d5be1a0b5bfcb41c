"""A damaged store is refused or reported, never overwritten, and set aside by a command."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.acceptance.conftest import StartServer
from tests.acceptance.harness.commandline import answer, mcp_queue
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.faults import is_degraded
from tests.contract.samples import add

UNUSABLE = 2
PAGE_BYTES = 4096


def contents(folder: Path) -> dict[str, bytes]:
    """What holds jobs of a store: its file and its log."""
    parts = (folder / "queue.db", folder / "queue.db-wal")
    return {part.name: part.read_bytes() for part in parts if part.exists() and part.stat().st_size}


def cut_in_half(store: Path) -> None:
    os.truncate(store, store.stat().st_size // 2)


def spoil(store: Path) -> None:
    """Overwrite all pages but the first."""
    with store.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(b"\xff" * (store.stat().st_size - PAGE_BYTES))


def lose_its_head(store: Path) -> None:
    with store.open("r+b") as file:
        file.write(b"\0" * PAGE_BYTES)


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """The configuration of a server, whose store holds some megabyte of jobs."""
    store = SqliteStore(tmp_path / "queue.db", durability="normal", clock=system_clock())
    await store.open()
    await store.apply([add(f"job {number}", start=False, params=b" " * 10_000 + b"{}") for number in range(100)])
    await store.close()
    return write_configuration(tmp_path)


def test_a_damaged_store_is_refused_then_set_aside_and_a_new_one_is_made(
    start: StartServer, config: Path, tmp_path: Path
) -> None:
    sound = (tmp_path / "queue.db").read_bytes()
    damages: list[Callable[[Path], None]] = [cut_in_half, lose_its_head]
    for damage in damages:
        (tmp_path / "queue.db").write_bytes(sound)
        damage(tmp_path / "queue.db")
        before = contents(tmp_path)
        refused = mcp_queue(config, "serve")
        assert refused.returncode == UNUSABLE, refused.stderr
        assert str(tmp_path / "queue.db") in refused.stderr.splitlines()[-1]
        assert "mcp-queue store set-aside" in refused.stderr.splitlines()[-1]
        assert contents(tmp_path) == before

    moved = answer(config, "store", "set-aside")
    assert contents(Path(moved["folder"])) == before
    assert not (tmp_path / "queue.db").exists()
    server = start(config)
    assert server.job_ids() == set()
    assert server.completed(server.submit("add_numbers", a=1, b=1)) == {"sum": 2}
    assert contents(Path(moved["folder"])) == before


def test_damage_that_a_running_server_finds_is_said_and_nothing_is_overwritten(
    start: StartServer, config: Path, tmp_path: Path
) -> None:
    server = start(config)
    spoil(tmp_path / "queue.db")
    before = (tmp_path / "queue.db").read_bytes()
    refusals = [server.refusal("hold", gate="x" * 10_000), server.refusal("add_numbers", a=1, b=1)]
    for refusal in refusals:
        assert refusal["data"]["domain_code"] == "STORE_UNAVAILABLE", refusal
        assert "mcp-queue store set-aside" in refusal["message"]
    assert is_degraded(server, "the file is damaged")

    refused = mcp_queue(config, "store", "set-aside")
    assert refused.returncode == UNUSABLE
    assert f"process id {server.pid}" in refused.stderr
    assert "stop it first" in refused.stderr
    assert server.terminate() == 0
    assert (tmp_path / "queue.db").read_bytes() == before
