"""The suite's fixture tools that answer within their call."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult

CONDITIONAL_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""The input schema whose keywords the suite looks for in ``tools/list``."""


class Call(Command):
    """A command of the server's own process that takes the strings ``words`` and answers ``answer``."""

    result_class = SuccessResult
    words: ClassVar[tuple[str, ...]] = ()
    answer: ClassVar[str] = "done"

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {word: {"type": "string"} for word in cls.words},
            "required": list(cls.words),
            "additionalProperties": False,
        }

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(message=self.answer)


class Greet(Call):
    """Say hello."""

    name = "greet"
    descr = "Say hello to somebody."
    words = ("name",)

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(message=f"Hello, {params['name']}!")


class SimpleText(Call):
    """Answer a sentence."""

    name = "test_simple_text"
    descr = "Answer a sentence."
    answer = "This is a simple text response for testing."


class ErrorHandling(Call):
    """Answer an error."""

    name = "test_error_handling"
    descr = "Answer an error."

    async def execute(self, **_: Any) -> CommandResult:
        return ErrorResult(message="This tool intentionally returns an error for testing")


class AnswerAtOnce(Call):
    """What the suite watches for requests of the server's on the stream of the answer."""

    name = "test_streaming_elicitation"
    descr = "Answer at once."


class AnswerWithoutLogMessages(Call):
    """What the suite watches for log messages that it has not asked for."""

    name = "test_logging_tool"
    descr = "Answer without a log message."


class RequireSampling(Call):
    """What only a client with a model of its own may call."""

    name = "test_missing_capability"
    descr = "Answer clients that offer sampling."
    mcp_requires: ClassVar[dict[str, Any]] = {"sampling": {}}


class KeepSchema(Call):
    """What has ``CONDITIONAL_SCHEMA``."""

    name = "json_schema_2020_12_tool"
    descr = "Take what a conditional schema allows."

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return CONDITIONAL_SCHEMA


class ReadRegion(Call):
    """What has a parameter that its caller repeats in a header."""

    name = "test_header_parameter"
    descr = "Take a region that a header names too."

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        region = {"type": "string", "x-mcp-header": "Region"}
        return {"type": "object", "properties": {"region": region}, "required": ["region"]}


class AddTool(Call):
    """Register one more command, of which the clients that listen are to hear."""

    name = "test_trigger_tool_change"
    descr = "Add a tool."

    async def execute(self, **_: Any) -> CommandResult:
        name = f"test_added_{uuid.uuid4().hex}"
        registry.register(type("Added", (Call,), {"name": name, "descr": "Answer at once."}), "custom")
        return SuccessResult(message=f"{name} was added")


TOOLS = (
    Greet,
    SimpleText,
    ErrorHandling,
    AnswerAtOnce,
    AnswerWithoutLogMessages,
    RequireSampling,
    KeepSchema,
    ReadRegion,
    AddTool,
)

for tool in TOOLS:
    registry.register(tool, "custom")
