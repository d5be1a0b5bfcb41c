"""The command that ``mcp-queue bench`` runs: it does nothing, so that only the queue is measured."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult


class NoopCommand(Command):
    """Answers at once."""

    name = "queue_bench_noop"
    descr = "Does nothing"
    use_queue = True
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the parameters: none."""
        return {"type": "object", "properties": {}, "additionalProperties": False}

    async def execute(self, **_: Any) -> CommandResult:
        """Answer an empty result."""
        return SuccessResult()


registry.register(NoopCommand, "custom")
