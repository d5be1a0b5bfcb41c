"""The command that runs a row of the table."""

from __future__ import annotations

import inspect
import os
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand
from tests.chaos.hostile import HOSTILE, RUNS_IN


class Misbehave(QueuedCommand):
    """Do what the row ``name`` says; before that, tell in the record and in the log who does it."""

    name = "misbehave"
    properties: ClassVar[dict[str, Any]] = {"name": {"type": "string"}}
    required = ("name",)

    async def execute(self, **params: Any) -> CommandResult:
        row = HOSTILE[params["name"]]
        job = current_job()
        job.set_description(f"{RUNS_IN}{os.getpid()}")
        print(f"{job.job_id} {job.attempt} {RUNS_IN}{os.getpid()}", flush=True)
        answer = row.code(row.value)
        if inspect.isawaitable(answer):
            answer = await answer
        return SuccessResult(data={"returned": answer})


registry.register(Misbehave, "custom")
