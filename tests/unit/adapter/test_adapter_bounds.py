"""What every job is held to, whichever way it comes, and whose it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_queue_plugin.adapter.callers import (
    NOBODY,
    SERVER,
    Caller,
    calling,
    current_caller,
    owner_of,
    require_admin,
    require_command,
    viewer,
)
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.adapter.waits import Waits
from mcp_queue_plugin.errors import AdminsOnly, CommandForbidden, InvalidParameters, TooManyWaits
from mcp_queue_plugin.settings import load_settings

ALICE = Caller(owner="alice", sees_all=False, is_admin=False, may_run=lambda name: name == "echo")


def manager(**security: Any) -> QueueManagerIntegration:
    section = {"security": security, "limits": {"params_bytes": 2048}}
    return QueueManagerIntegration.from_settings(load_settings({"queue_plugin": section}, environ={}))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def command(value: Any) -> dict[str, Any]:
    return {"command": "echo", "params": {"value": value}, "context": {}}


def test_parameters_are_held_to_a_depth() -> None:
    queue = manager(max_depth=8)
    queue.submission(CommandExecutionJob, "a", command(nested(6)))
    with pytest.raises(InvalidParameters) as refused:
        queue.submission(CommandExecutionJob, "a", command(nested(7)))
    assert refused.value.data == {"field": "params", "violation": "depth", "maximum": 8}


def test_parameters_are_held_to_a_size() -> None:
    queue = manager()
    with pytest.raises(InvalidParameters) as refused:
        queue.submission(CommandExecutionJob, "a", command("x" * 2048))
    assert refused.value.data["maximum"] == 2048


def test_a_job_is_its_callers() -> None:
    queue = manager()
    assert queue.submission(CommandExecutionJob, "a", command(1))[0].owner is None
    with calling(ALICE):
        assert queue.submission(CommandExecutionJob, "a", command(1))[0].owner == "alice"
        assert viewer() == "alice"
    assert (current_caller(), viewer()) == (SERVER, None)


async def test_tasks_that_a_caller_begins_are_the_callers() -> None:
    async def who() -> str | None:
        await asyncio.sleep(0)
        return viewer()

    with calling(ALICE):
        task = asyncio.create_task(who())
    assert await task == "alice"


def test_what_a_caller_may_not_do_is_refused_by_name() -> None:
    require_admin("queue_pause")
    require_command("anything")
    with calling(ALICE):
        require_command("echo")
        with pytest.raises(CommandForbidden, match="'stamp'"):
            require_command("stamp")
        with pytest.raises(AdminsOnly, match="queue_pause"):
            require_admin("queue_pause")
    assert not NOBODY.sees_all


def test_an_owner_is_the_same_for_ever_and_says_nothing_of_the_token() -> None:
    owner = owner_of("token", "a token")
    assert owner == "token-4150288dd630dfbcbb6dc4bc04ff5519"
    assert owner_of("token", "another") != owner != owner_of("certificate", "a token")


def test_waits_are_counted_by_owner_and_end() -> None:
    waits = Waits(2)
    with calling(ALICE):
        for _ in range(3):
            with waits.one(), waits.one():
                with pytest.raises(TooManyWaits) as refused, waits.one():
                    pass
                assert refused.value.data == {"max_waits": 2}
                with calling(SERVER), waits.one():
                    pass
