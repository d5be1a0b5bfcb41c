"""Commands that write into their log."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from tests.acceptance.app.base import QueuedCommand, wait_for_file


class WriteHalf(QueuedCommand):
    """Write half a line, and the other half once ``gate`` exists."""

    name = "write_half"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}}
    required = ("gate",)

    async def execute(self, **params: Any) -> CommandResult:
        sys.stdout.write("load")
        sys.stdout.flush()
        await wait_for_file(params["gate"])
        sys.stdout.write("ing\n")
        return SuccessResult()


class WriteLong(QueuedCommand):
    """Write ``count`` lines of two thousand characters."""

    name = "write_long"
    properties: ClassVar[dict[str, Any]] = {"count": {"type": "integer"}}

    async def execute(self, **params: Any) -> CommandResult:
        for number in range(params["count"]):
            print(f"{number} ".ljust(2000, "."))
        return SuccessResult()


for command in (WriteHalf, WriteLong):
    registry.register(command, "custom")
