from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
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
