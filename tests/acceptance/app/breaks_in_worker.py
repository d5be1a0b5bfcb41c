"""Can be imported in the server only: it needs something that the server's script alone has."""

from __future__ import annotations

import sys
from typing import Any

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from tests.acceptance.app.base import QueuedCommand

if sys.modules["__main__"].__spec__ is not None:
    raise RuntimeError("the licence is in the server's script")


class NeedsLicence(QueuedCommand):
    name = "needs_licence"

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult()


registry.register(NeedsLicence, "custom")
