"""The commands, the job and the task that the fundamentals run. Workers import this module, which registers them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import ErrorResult, SuccessResult

from mcp_queue_plugin import QueueJobBase, current_job, task


class SampleCommand(Command):
    """A command that runs in the background and takes any parameters."""

    use_queue = True
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {}, "additionalProperties": True}


class Add(SampleCommand):
    name = "add"
    descr = "Add two numbers"

    async def execute(self, **params: Any) -> SuccessResult:
        return SuccessResult(data={"sum": params["a"] + params["b"]})


class Speak(SampleCommand):
    name = "speak"
    descr = "Write to both streams"

    async def execute(self, **_: Any) -> SuccessResult:
        print("first")
        print("second")
        print("third", file=sys.stderr)
        return SuccessResult()


class Knead(SampleCommand):
    name = "knead"
    descr = "Tell how far it is, then wait until it is stopped"

    async def execute(self, **_: Any) -> SuccessResult:
        job = current_job()
        job.set_progress(40)
        job.set_description("kneading the dough")
        await asyncio.Event().wait()
        return SuccessResult()


class Bake(SampleCommand):
    name = "bake"
    descr = "Bake until it is asked to stop"

    async def execute(self, **_: Any) -> SuccessResult:
        job = current_job()
        job.set_description("baking")
        loaves = 0
        while not job.should_stop():
            loaves += 1
        return SuccessResult(data={"loaves": loaves})


class Burn(SampleCommand):
    name = "burn"
    descr = "Raise an error"

    async def execute(self, **_: Any) -> SuccessResult:
        raise RuntimeError("the oven is too hot")


class Refuse(SampleCommand):
    name = "refuse"
    descr = "Return an error"

    async def execute(self, **_: Any) -> ErrorResult:
        return ErrorResult(message="there is no flour", code=-32001)


class Weigh(QueueJobBase):
    """A job of one's own: it gets its parameters as ``mcp_params`` and leaves its result with ``set_mcp_result``."""

    def run(self) -> None:
        self.set_progress(50)
        self.set_mcp_result({"grams": sum(self.mcp_params["portions"])})


@task
async def slice_bread(loaves: int, *, thin: bool = False) -> dict[str, int]:
    """A task: a function that can also be enqueued; its return value is the result."""
    current_job().set_description("slicing")
    return {"slices": loaves * (30 if thin else 20)}


for command in (Add, Speak, Knead, Bake, Burn, Refuse):
    registry.register(command, "custom")
