"""Commands that fail, each in its own way."""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult
from mcp_proxy_adapter.core.errors import CommandError

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand, append, wait_for_file


class RaiseError(QueuedCommand):
    name = "raise_error"

    async def execute(self, **_: Any) -> CommandResult:
        raise ZeroDivisionError("no number can be divided by zero")


class RaiseOpen(QueuedCommand):
    """Raises; its schema is open."""

    name = "raise_open"
    open_schema = True

    async def execute(self, **_: Any) -> CommandResult:
        raise ValueError("it went wrong")


class RaiseCommandError(QueuedCommand):
    """Raises one of the adapter's errors, which have a code."""

    name = "raise_command_error"

    async def execute(self, **_: Any) -> CommandResult:
        error = CommandError("the printer is on fire")
        error.code = -32050
        raise error


class ReturnError(QueuedCommand):
    name = "return_error"

    async def execute(self, **_: Any) -> CommandResult:
        return ErrorResult(message="no paper", code=-32011, details={"tray": 2})


class ReturnOdd(QueuedCommand):
    """Returns what JSON cannot say."""

    name = "return_odd"
    properties: ClassVar[dict[str, Any]] = {"kind": {"type": "string"}}

    async def execute(self, **params: Any) -> CommandResult:
        odd = {"set": {1, 2}, "nan": float("nan"), "surrogate": "\ud800", "key": {(1, 2): 3}}[params["kind"]]
        return SuccessResult(data={"rows": [1, {"cell": odd}]})


class Die(QueuedCommand):
    """Ends its worker; every attempt adds a character to ``path``."""

    name = "die"
    properties: ClassVar[dict[str, Any]] = {"path": {"type": "string"}, "times": {"type": "integer"}}

    async def execute(self, **params: Any) -> CommandResult:
        if append(params["path"], "x") <= params.get("times", 1_000):
            current_job().set_description(f"dying in attempt {current_job().attempt}")
            current_job().set_step("dying")
            os._exit(7)
        return SuccessResult(data={"survived": True})


class SucceedAtLast(QueuedCommand):
    """Fails half way in its first attempt; the second begins anew, and ends once ``gate`` exists."""

    name = "succeed_at_last"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}}

    async def execute(self, **params: Any) -> CommandResult:
        job = current_job()
        job.set_progress(60 if job.attempt == 1 else 10)
        job.set_description(f"attempt {job.attempt}")
        if job.attempt == 1:
            await asyncio.sleep(0.2)
            raise ValueError("not yet")
        await wait_for_file(params["gate"])
        return SuccessResult(data={"attempt": job.attempt})


for command in (RaiseError, RaiseOpen, RaiseCommandError, ReturnError, ReturnOdd, Die, SucceedAtLast):
    registry.register(command, "custom")
