"""Registers a command in the server's process alone, as an application does whose start-up script registers it."""

from __future__ import annotations

import sys
from typing import Any

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from tests.acceptance.app.base import QueuedCommand


class ServerOnly(QueuedCommand):
    name = "server_only"

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult()


# A script has no spec; what is run with -m, as a worker is, has one.
if sys.modules["__main__"].__spec__ is None:
    registry.register(ServerOnly, "custom")
