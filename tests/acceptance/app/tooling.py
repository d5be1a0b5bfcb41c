"""Commands that show what becomes of a command as an MCP tool."""

from __future__ import annotations

import os
import subprocess
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult
from pydantic import BaseModel, ConfigDict

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import QueuedCommand, append, wait_for_file


class Divide(Command):
    """Divide one number by another in the server itself."""

    name = "tool_divide"
    descr = "Divide a by b"
    result_class = SuccessResult
    mcp_annotations: ClassVar[dict[str, Any]] = {"readOnlyHint": True, "title": "Division"}

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        number = {"type": "number"}
        return {"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]}

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        data = {"type": "object", "properties": {"quotient": {"$ref": "#/$defs/number"}}, "required": ["quotient"]}
        return {"type": "object", "properties": {"data": data}, "$defs": {"number": {"type": "number"}}}

    async def execute(self, **params: Any) -> CommandResult:
        if params["b"] == 0:
            return ErrorResult(message="b must not be 0", code=-32011, details={"b": 0})
        return SuccessResult(data={"quotient": params["a"] / params["b"]})


class RegisterTool(Command):
    """Register one more command, as a module that is loaded later would."""

    name = "tool_register"
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}

    async def execute(self, **params: Any) -> CommandResult:
        registry.register(type("Registered", (Divide,), {"name": params["name"]}), "custom")
        return SuccessResult(message="registered")


class BigResult(QueuedCommand):
    """Return a text of so many characters of three bytes each."""

    name = "tool_big_result"
    properties: ClassVar[dict[str, Any]] = {"count": {"type": "integer"}}

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(data={"text": "€" * params["count"]})


class Steps(QueuedCommand):
    """Report the progress 10, 20, ... 50, then wait for ``gate``."""

    name = "tool_steps"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}}
    required = ("gate",)

    async def execute(self, **params: Any) -> CommandResult:
        current_job().set_description("half way")
        for percent in range(10, 60, 10):
            current_job().set_progress(percent)
        await wait_for_file(params["gate"])
        return SuccessResult(data={"done": True})


class SlowInServer(Command):
    """Run in the server until ``gate`` exists, and note the end in ``path``."""

    name = "tool_slow_in_server"
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        text = {"type": "string"}
        return {"type": "object", "properties": {"gate": text, "path": text}, "required": ["gate", "path"]}

    async def execute(self, **params: Any) -> CommandResult:
        await wait_for_file(params["gate"])
        append(params["path"], "ended\n")
        return SuccessResult(data={"ended": True})


class Noisy(Command):
    """Write to standard output in the server: in Python, past Python, and in a process of its own."""

    name = "tool_noisy"
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        print("printed", flush=True)
        os.write(1, b"written\n")
        subprocess.run(["echo", "echoed"], check=True)  # noqa: ASYNC221 - what this command is for
        return SuccessResult(data={"noise": 3})


class Odd(Command):
    """Break where nobody expects it."""

    name = "tool_odd"
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"secret path": object()})


class TaskOnly(QueuedCommand):
    """A command that its callers must be able to follow."""

    name = "tool_task_only"
    mcp_requires: ClassVar[dict[str, Any]] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"followed": True})


class AskFirst(QueuedCommand):
    """A command that asks its caller's user for what is missing."""

    name = "tool_ask_first"
    properties: ClassVar[dict[str, Any]] = {"city": {"type": "string", "description": "Where to go"}}
    mcp_ask_for: ClassVar[dict[str, tuple[str, ...]]] = {"where": ("city",)}

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(data={"city": params.get("city")})


class Part(BaseModel):
    """A part of a whole."""

    name: str


class Whole(BaseModel):
    """What a schema that pydantic writes puts into its own definitions."""

    model_config = ConfigDict(extra="forbid")

    parts: list[Part]


class StrictAnswer(SlowInServer):
    """Run as ``SlowInServer``; the schema of its data allows nothing else. Without a gate it answers a message."""

    name = "tool_strict_answer"

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {**super().get_schema(), "required": []}

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        ended = {"ended": {"type": "boolean"}}
        data = {"type": "object", "properties": ended, "required": ["ended"], "additionalProperties": False}
        return {"type": "object", "properties": {"data": data}}

    async def execute(self, **params: Any) -> CommandResult:
        if "gate" not in params:
            return SuccessResult(message="nothing to wait for")
        return await super().execute(**params)


class Parts(QueuedCommand):
    """Return so many parts; what it returns is described by pydantic."""

    name = "tool_parts"
    properties: ClassVar[dict[str, Any]] = {"count": {"type": "integer"}}
    required = ("count",)

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"data": Whole.model_json_schema()}}

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(data=Whole(parts=[Part(name=str(each)) for each in range(params["count"])]).model_dump())


class BadlyDescribed(Command):
    """A command that says of itself what cannot be told."""

    name = "tool_badly_described"
    result_class = SuccessResult
    mcp_annotations: ClassVar[Any] = {"readOnlyHint": []}
    mcp_requires: ClassVar[Any] = 5
    mcp_ask_for: ClassVar[Any] = ["count"]

    @classmethod
    def get_result_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": None}

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"called": True})


for command in (
    Divide,
    RegisterTool,
    BigResult,
    Noisy,
    Odd,
    Steps,
    SlowInServer,
    TaskOnly,
    AskFirst,
    StrictAnswer,
    Parts,
    BadlyDescribed,
):
    registry.register(command, "custom")
