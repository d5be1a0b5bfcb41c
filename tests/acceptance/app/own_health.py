"""An application's own command under one of the queue's names."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult


class OwnHealth(Command):
    name = "queue_health"
    descr = "The application's richer report"
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"mood": "cheerful"})


registry.register(OwnHealth, "custom")
