"""Commands that show what comes to a job, and what does not."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import SuccessResult

from tests.acceptance.app.base import QueuedCommand


class GuardedEcho(QueuedCommand):
    """Return the value twice, so that a result can outgrow what its parameters may be."""

    name = "guarded_echo"
    properties: ClassVar[dict[str, Any]] = {"value": {}}

    async def execute(self, value: Any = None, **_: Any) -> SuccessResult:
        return SuccessResult(data={"value": value})


class GuardedEnvironment(QueuedCommand):
    """The names of the environment's variables."""

    name = "guarded_environment"

    async def execute(self, **_: Any) -> SuccessResult:
        return SuccessResult(data={"names": sorted(os.environ)})


class GuardedLogin(QueuedCommand):
    """A command with a secret among its parameters."""

    name = "guarded_login"
    properties: ClassVar[dict[str, Any]] = {"password": {"type": "string", "enum": ["open sesame"]}}
    required = ("password",)

    async def execute(self, **_: Any) -> SuccessResult:
        return SuccessResult(data={})


for command in (GuardedEcho, GuardedEnvironment, GuardedLogin):
    registry.register(command, "custom")
