"""Commands that ask their callers questions."""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand, append, wait_for_file

COUNT_SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 1}},
    "required": ["count"],
    "additionalProperties": False,
}


class Ask(QueuedCommand):
    """Ask one question, whose answer has a count."""

    name = "ask"

    async def execute(self, **_: Any) -> CommandResult:
        answer = await current_job().ask_async("first", "How many?", COUNT_SCHEMA)
        return SuccessResult(data={"answer": answer, "attempt": current_job().attempt})


class AskBoth(QueuedCommand):
    """Ask two questions at once, one in a thread; any value will do."""

    name = "ask_both"

    async def execute(self, **_: Any) -> CommandResult:
        job = current_job()
        left, right = await asyncio.gather(job.ask_async("left", "L?"), asyncio.to_thread(job.ask, "right", "R?"))
        return SuccessResult(data={"left": left, "right": right})


class AskThenHold(QueuedCommand):
    """Ask, note how often an answer came, and run until ``gate`` exists."""

    name = "ask_then_hold"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}, "path": {"type": "string"}}
    required = ("gate", "path")

    async def execute(self, **params: Any) -> CommandResult:
        job = current_job()
        answer = await job.ask_async("first", "What?")
        append(params["path"], f"{job.attempt} {os.getpid()}\n")
        job.set_description("running")
        await wait_for_file(params["gate"])
        return SuccessResult(data={"answer": answer, "attempt": job.attempt})


for command in (Ask, AskBoth, AskThenHold):
    registry.register(command, "custom")
