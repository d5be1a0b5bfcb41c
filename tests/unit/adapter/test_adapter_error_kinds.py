"""The names by which ``retry_on`` knows the error of a command or a job, as its worker tells them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_queue_plugin.adapter.setup import RUNNER
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Ending
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.workers.protocol import Run, Setup
from tests.unit.workers.harness import ROOT, Harness, until

COMMAND_JOB = "mcp_queue_plugin.adapter.jobs:CommandExecutionJob"
SAMPLES = "tests.unit.adapter.sample_jobs"


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    modules = ("tests.unit.adapter.sample_commands",)
    harness.pool.warm_up(Setup(runner=RUNNER, sys_path=(ROOT,), auto_import_modules=modules))
    yield harness
    await harness.pool.close(0)


async def ending(harness: Harness, target: str, params: dict[str, Any]) -> Ending:
    await until(harness.pool.free)
    token = Token(1, 1)
    call = Run(token=token, job_id="job", job_type="test", target=target, command=params.get("command"))
    harness.pool.run(call, json.dumps(params).encode(), JobOptions())
    return await harness.ending(token)


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("sample_raise", ("LookupError", "Exception", "BaseException")),
        ("sample_refuse", ("ErrorResult",)),
        ("sample_progress", ()),
    ],
)
async def test_a_command_is_known_by_what_it_raised_or_returned(
    harness: Harness, command: str, kinds: tuple[str, ...]
) -> None:
    assert (await ending(harness, COMMAND_JOB, {"command": command})).error_kinds == kinds


async def test_a_command_that_is_not_there_is_known_by_our_own_error(harness: Harness) -> None:
    kinds = (await ending(harness, COMMAND_JOB, {"command": "nowhere"})).error_kinds
    assert kinds[:2] == ("CommandUnknown", "mcp_queue_plugin.errors.CommandUnknown")


@pytest.mark.parametrize(
    ("does", "kinds"),
    [
        ("raising", ("ValueError", "Exception", "BaseException")),
        ("record_error", ("JobFailed",)),
        ("result", ()),
        ("stopped", ()),
    ],
)
async def test_a_job_is_known_by_what_it_raised_or_by_saying_that_it_failed(
    harness: Harness, does: str, kinds: tuple[str, ...]
) -> None:
    assert (await ending(harness, f"{SAMPLES}:AdapterJob", {"do": does})).error_kinds == kinds
