from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import ManualClock
from tests.unit.store.faults import FaultyVfs

NewStore = Callable[..., SqliteStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
async def new_store(path: Path) -> AsyncIterator[NewStore]:
    """Makes stores at ``path``, and closes them after the test."""
    made: list[SqliteStore] = []

    def make(at: Path = path, **options: Any) -> SqliteStore:
        made.append(SqliteStore(at, durability="full", clock=ManualClock(), **options))
        return made[-1]

    yield make
    for store in made:
        await store.close()


@pytest.fixture
def vfs(request: pytest.FixtureRequest) -> Iterator[FaultyVfs]:
    faulty = FaultyVfs(f"faulty {os.getpid()} {request.node.name}")
    yield faulty
    faulty.faults.clear()
    faulty.unregister()


@contextmanager
def another_server(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the store at ``path`` and runs a job."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.store.holder", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
