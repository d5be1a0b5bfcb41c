"""Commands that ask their callers questions."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
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


class SignAndAsk(QueuedCommand):
    """Sign the run in ``book``, as the commands of ``signing`` do, then ask one question."""

    name = "sign_and_ask"
    properties: ClassVar[dict[str, Any]] = {"book": {"type": "string"}}
    required = ("book",)

    async def execute(self, **params: Any) -> CommandResult:
        job, run = current_job(), uuid.uuid4().hex
        append(params["book"], f"{job.job_id} {job.attempt} {run} {time.monotonic()}\n")
        return SuccessResult(data={"answer": await job.ask_async("first", "What?"), "run": run})


for command in (Ask, AskBoth, AskThenHold, SignAndAsk):
    registry.register(command, "custom")
