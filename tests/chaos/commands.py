"""Commands for jobs that meet, or do, what nobody wishes them."""

from __future__ import annotations

import inspect
import os
import signal
import sys
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand, append, wait_for_file
from tests.chaos.hostile import HOSTILE, RUNS_IN
from tests.unit.workers import jobs


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


class Look(QueuedCommand):
    """Answer where it is, and all that a job before it might have spoilt; and write into both streams."""

    name = "look"

    async def execute(self, **_: Any) -> CommandResult:
        facts = jobs.facts(None)
        for name in ("descriptors", "stdout"):
            del facts[name]
        print("out")
        print("err", file=sys.stderr)
        seen = {**facts, "limits": jobs.limits(None), "input": jobs.read_input(None)}
        return SuccessResult(data={"pid": os.getpid(), "seen": seen})


class Attempt(QueuedCommand):
    """Answer the attempt that it took; once ``gate`` exists, if it is named, and then append it to ``path``."""

    name = "attempt"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}, "path": {"type": "string"}}

    async def execute(self, **params: Any) -> CommandResult:
        job = current_job()
        job.set_description("running")
        if "gate" in params:
            await wait_for_file(params["gate"])
            append(params["path"], str(job.attempt))
        return SuccessResult(data={"attempt": job.attempt})


class Poison(QueuedCommand):
    """Append its attempt to ``path``, say a last word, and take the worker with it."""

    name = "poison"
    properties: ClassVar[dict[str, Any]] = {"path": {"type": "string"}}
    required = ("path",)

    async def execute(self, **params: Any) -> CommandResult:
        attempt = current_job().attempt
        append(params["path"], str(attempt))
        print(f"last words of attempt {attempt}", file=sys.stderr)
        os.kill(os.getpid(), signal.SIGKILL)
        raise NotImplementedError


for command in (Misbehave, Look, Attempt, Poison):
    registry.register(command, "custom")
