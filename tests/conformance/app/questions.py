"""The suite's fixture tools that ask their caller for what is missing, before they answer."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from tests.conformance.app.calls import Call


class AskForName(Call):
    """Ask for an argument that is missing."""

    name = "test_input_required_result_elicitation"
    descr = "Say hello to whoever says a name."
    mcp_ask_for: ClassVar[dict[str, tuple[str, ...]]] = {"user_name": ("name",)}

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(message=f"Hello, {params['name']}!")


registry.register(AskForName, "custom")
