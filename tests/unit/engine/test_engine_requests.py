"""Requests that cannot be served are answered; the engine goes on."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.job import Submission
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import State
from tests.unit.engine.client import connected
from tests.unit.engine.harness import submission


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[EngineClient]:
    async with connected(tmp_path) as client:
        yield client


UNUSABLE_OPTIONS = [
    JobOptions(priority="high"),  # type: ignore[arg-type]
    JobOptions(priority=2**63),
    JobOptions(stop_grace_seconds=-1.0),
    JobOptions(max_crashes=0),
    JobOptions(queue=""),
]


@pytest.mark.parametrize("options", UNUSABLE_OPTIONS, ids=str)
async def test_unusable_options_are_refused_and_nothing_is_stored(client: EngineClient, options: JobOptions) -> None:
    job = Submission(job_id="a", job_type="t", target="t", options=options)
    with pytest.raises(InvalidParameters, match="the request is not valid"):
        await client.submit(job, b"1", start=True)
    await client.submit(submission("a"), b"1", start=False)


@pytest.mark.parametrize("seconds", ["5", True, -1.0, 1e9, math.inf, math.nan], ids=str)
async def test_an_unusable_wait_is_refused(client: EngineClient, seconds: float) -> None:
    await client.submit(submission("a"), b"1", start=False)
    with pytest.raises(InvalidParameters):
        await client.status("a", wait_seconds=seconds)
    assert (await client.status("a")).job.state is State.CREATED


async def test_what_cannot_be_served_and_has_no_number_is_logged(
    client: EngineClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.adopt(submission("a"), b"{}", description=5)  # type: ignore[arg-type]
    assert not (await client.health()).issues
    assert "what cannot be served" in caplog.text
