"""Commands that are about the process they run in."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand
from tests.acceptance.app.commands import HOLD_SECONDS


class Who(QueuedCommand):
    """Answer the process that it runs in."""

    name = "who"

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"pid": os.getpid()})


class Stuck(QueuedCommand):
    """Hold the worker in C code, deaf to SIGTERM."""

    name = "stuck"

    async def execute(self, **_: Any) -> CommandResult:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        current_job().set_description("running")
        ctypes.CDLL(None).sleep(int(HOLD_SECONDS))
        return SuccessResult()


for command in (Who, Stuck):
    registry.register(command, "custom")
