"""Commands that the tests run in real workers; importing this registers them, as an application's modules do."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult
from mcp_proxy_adapter.core.errors import CommandError, MicroserviceError

from mcp_queue_plugin.context import current_job


class _SampleCommand(Command):
    use_queue = True
    result_class = SuccessResult
    properties: ClassVar[dict[str, Any]] = {}

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": cls.properties, "additionalProperties": False}


class EchoCommand(_SampleCommand):
    """Answers what it was given, and tells what it sees."""

    name = "sample_echo"
    properties: ClassVar[dict[str, Any]] = {"value": {"type": "string"}}

    async def execute(self, value: str = "", context: dict[str, Any] | None = None, **_: Any) -> CommandResult:
        user = (context or {}).get("user")
        print(f"echo {value}")
        return SuccessResult(data={"value": value, "user": user, "pid": os.getpid(), "job": current_job().job_id})


class ProgressCommand(_SampleCommand):
    """Reports through the tracker that the adapter's commands know."""

    name = "sample_progress"
    properties: ClassVar[dict[str, Any]] = {"percent": {}, "fail": {"type": "boolean"}}

    async def execute(
        self, percent: Any = 42, fail: bool = False, context: dict[str, Any] | None = None, **_: Any
    ) -> CommandResult:
        tracker = (context or {})["progress_tracker"]
        tracker.set_progress(percent)
        tracker.set_description("half way")
        if fail:
            raise LookupError("half way is not enough")
        return SuccessResult()


class TimedCommand(_SampleCommand):
    """Announces how long it will take, and takes ``seconds``; it reports its progress only if it is told what."""

    name = "sample_timed"
    properties: ClassVar[dict[str, Any]] = {
        "duration": {"type": ["number", "null"]},
        "steps": {"type": "integer"},
        "seconds": {"type": "number"},
        "blocking": {"type": "boolean"},
        "report": {"type": "integer"},
    }

    async def execute(self, **params: Any) -> CommandResult:
        if "report" in params:
            current_job().set_progress(params["report"])
        if params.get("blocking"):
            time.sleep(params["seconds"])  # noqa: ASYNC251 - what this command is for
        else:
            await asyncio.sleep(params["seconds"])
        return SuccessResult()


class ForEverCommand(_SampleCommand):
    """Waits until it is cancelled."""

    name = "sample_for_ever"

    async def execute(self, **_: Any) -> CommandResult:
        current_job().set_description("for ever")
        await asyncio.Event().wait()
        return SuccessResult()


class HoldCommand(_SampleCommand):
    """Works until a file is there."""

    name = "sample_hold"
    properties: ClassVar[dict[str, Any]] = {"path": {"type": "string"}}

    async def execute(self, path: str = "", **_: Any) -> CommandResult:
        await asyncio.to_thread(_wait_for, Path(path))
        return SuccessResult()


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)


class RaisingCommand(_SampleCommand):
    """Raises a plain error, or one of the adapter's own."""

    name = "sample_raise"
    properties: ClassVar[dict[str, Any]] = {"typed": {"type": "boolean"}}

    async def execute(self, typed: bool = False, **_: Any) -> CommandResult:
        if typed:
            raise CommandError("typed trouble", data={"a": 1})
        raise LookupError("plain trouble")


class CodedCommand(_SampleCommand):
    """Raises one of the adapter's errors with any code."""

    name = "sample_raise_coded"
    properties: ClassVar[dict[str, Any]] = {"code": {}}

    async def execute(self, code: Any = None, **_: Any) -> CommandResult:
        raise MicroserviceError("coded trouble", code=code)


class RefusingCommand(_SampleCommand):
    """Returns an error instead of raising it."""

    name = "sample_refuse"

    async def execute(self, **_: Any) -> CommandResult:
        return ErrorResult(message="not today", code=-32001)


class UnspeakableCommand(_SampleCommand):
    """Answers what JSON cannot say."""

    name = "sample_unspeakable"

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"rows": [1, {"when": object()}]})


class OverridingCommand(_SampleCommand):
    """Has a ``run`` of its own, which is to be honoured."""

    name = "sample_override"

    @classmethod
    async def run(cls, **kwargs: Any) -> CommandResult:
        result = await super().run(**kwargs)
        return SuccessResult(data={"wrapped": result.to_dict()})

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"inner": True})


COMMANDS = (
    EchoCommand,
    ProgressCommand,
    TimedCommand,
    ForEverCommand,
    HoldCommand,
    RaisingCommand,
    CodedCommand,
    RefusingCommand,
    UnspeakableCommand,
    OverridingCommand,
)

for command in COMMANDS:
    registry.register(command, "custom")
