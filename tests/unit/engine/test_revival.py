"""The tries to bring a lost engine back, by themselves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mcp_queue_plugin.engine import revival as revival_module
from mcp_queue_plugin.engine.revival import Revival
from mcp_queue_plugin.errors import EngineStartFailed
from tests.unit.workers.harness import until


async def test_no_unforeseen_failure_of_a_try_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival_module, "FIRST_PAUSE_SECONDS", 0.01)
    tries = 0

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("nobody thought of this")

    revival = Revival(attempt)
    revival.begin()
    with pytest.raises(EngineStartFailed, match="nobody thought of this"):
        await revival.wait()
    await until(lambda: not revival.active)
    assert tries == 2


def test_who_waits_on_another_loop_goes_on_when_the_loop_of_the_tries_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival_module, "LOOP_CHECK_SECONDS", 0.05)
    tries: list[object] = []
    waits = threading.Event()

    async def attempt() -> None:
        tries.append(asyncio.get_running_loop())
        if len(tries) == 1:
            await asyncio.sleep(3600)

    revival = Revival(attempt)

    async def wait() -> None:
        waits.set()
        await revival.wait()

    async def begin() -> None:
        revival.begin()
        thread.start()
        await until(waits.is_set)

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    asyncio.run(begin())
    thread.join(10)
    assert not thread.is_alive()
    assert len(set(map(id, tries))) == 2
    assert not revival.active
