"""The suite's fixture tools that ask their caller something within the call, before they answer."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from tests.acceptance.app.base import QueuedCommand
from tests.conformance.app.calls import Call
from tests.conformance.app.jobs import ask


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


class Confirm(QueuedCommand):
    """Ask once, from within the job."""

    name = "test_input_required_result_request_state"
    descr = "Ask for a confirmation."

    async def execute(self, **_: Any) -> CommandResult:
        answer = await ask("confirm", "Please confirm", ok="boolean")
        return SuccessResult(data={"state-ok": answer["ok"]})


class ConfirmUntampered(Confirm):
    """The same; the suite tampers with what it is to send back."""

    name = "test_input_required_result_tampered_state"


class AskTwice(QueuedCommand):
    """Ask one question after the other."""

    name = "test_input_required_result_multi_round"
    descr = "Ask for a name and then for a color."

    async def execute(self, **_: Any) -> CommandResult:
        first = await ask("step1", "Step 1: What is your name?", name="string")
        second = await ask("step2", "Step 2: What is your favorite color?", color="string")
        return SuccessResult(data={**first, **second})


for tool in (AskForName, Confirm, ConfirmUntampered, AskTwice):
    registry.register(tool, "custom")
