"""A command in a module that no worker imports by itself."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult


class LateCommand(Command):
    """Answers that it is here."""

    name = "sample_late"
    use_queue = True
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"here": True})


registry.register(LateCommand, "custom")
