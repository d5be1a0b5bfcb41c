"""The tasks as commands of the adapter: run by its own queue, by ours, and one of them at once."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from bench import tasks

MODULE = __name__


class BenchCommand(Command):
    """What the commands share: a schema that is checked, and no parameters."""

    use_queue = True
    result_class = SuccessResult
    properties: ClassVar[dict[str, Any]] = {}

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the parameters; all of them are needed."""
        return {
            "type": "object",
            "properties": cls.properties,
            "required": list(cls.properties),
            "additionalProperties": False,
        }


class NoopCommand(BenchCommand):
    """``tasks.noop`` as a job."""

    name = "bench_noop"
    descr = "Does nothing"

    async def execute(self, **_: Any) -> CommandResult:
        """Answer an empty result."""
        return SuccessResult(data=tasks.noop())


class SynchronousNoopCommand(NoopCommand):
    """``tasks.noop`` without a queue: what a request itself costs."""

    name = "bench_synchronous_noop"
    use_queue = False


class SpinCommand(BenchCommand):
    """``tasks.spin`` as a job."""

    name = "bench_spin"
    descr = "Computes for 10 ms"

    async def execute(self, **_: Any) -> CommandResult:
        """Answer an empty result, 10 ms later."""
        return SuccessResult(data=tasks.spin())


class EchoCommand(BenchCommand):
    """``tasks.echo`` as a job."""

    name = "bench_echo"
    descr = "Answers what it was given"
    properties: ClassVar[dict[str, Any]] = {"data": {"type": "string"}}

    async def execute(self, **arguments: Any) -> CommandResult:
        """Answer the data."""
        return SuccessResult(data=tasks.echo(arguments["data"]))


class PrintCommand(BenchCommand):
    """A job that prints."""

    name = "bench_print"
    descr = "Prints lines"
    properties: ClassVar[dict[str, Any]] = {"lines": {"type": "integer", "minimum": 1}}

    async def execute(self, **arguments: Any) -> CommandResult:
        """Print so many numbered lines."""
        for number in range(arguments["lines"]):
            sys.stdout.write(f"line {number}\n")
        return SuccessResult(data={})


for command in (NoopCommand, SynchronousNoopCommand, SpinCommand, EchoCommand, PrintCommand):
    registry.register(command, "custom")
