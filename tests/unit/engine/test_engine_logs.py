"""Waiting for what a job writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import JobNotFound
from mcp_queue_plugin.model.queries import LogQuery
from tests.unit.engine.client import connected, end, submit

WAIT_SECONDS = 10.0


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[EngineClient]:
    async with connected(tmp_path, warm=True) as client:
        yield client


async def test_a_page_is_answered_as_soon_as_a_line_is_there(client: EngineClient, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await submit(client, "a", "hold_then_print", f'"{release}"'.encode())
    asked = asyncio.create_task(client.log("a", LogQuery(), wait_seconds=WAIT_SECONDS))
    assert (await client.log("a", LogQuery(), wait_seconds=0.05)).entries == ()
    assert not asked.done()
    release.touch()
    assert [entry.line for entry in (await asked).entries] == ["released"]


async def test_a_page_of_a_job_that_ends_silently_is_answered_at_its_end(client: EngineClient, tmp_path: Path) -> None:
    release = tmp_path / "release"
    await submit(client, "a", "hold", f'"{release}"'.encode())
    asked = asyncio.create_task(client.log("a", LogQuery(), wait_seconds=WAIT_SECONDS))
    release.touch()
    await end(client, "a")
    assert (await asyncio.wait_for(asked, 5)).entries == ()


async def test_nothing_is_waited_for_when_there_is_nothing_to_come(client: EngineClient) -> None:
    await submit(client, "a")
    await end(client, "a")
    page = await asyncio.wait_for(client.log("a", LogQuery(cursor=1000), wait_seconds=WAIT_SECONDS), 5)
    assert page.entries == ()
    with pytest.raises(JobNotFound):
        await client.log("nobody", LogQuery(), wait_seconds=WAIT_SECONDS)
