"""The suite's fixture tools that run as jobs, and are tasks for a client that knows tasks."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult

from mcp_queue_plugin import CommandExecutionJob, QueueOptions, current_job, get_global_queue_manager
from tests.acceptance.app.base import QueuedCommand
from tests.conformance.app.calls import Call

TASKS_EXTENSION: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}

STEP_SECONDS = 0.5


class SlowCompute(QueuedCommand):
    """Take its time."""

    name = "slow_compute"
    descr = "Compute for some seconds."
    properties: ClassVar[dict[str, Any]] = {"seconds": {"type": "number"}, "label": {"type": "string"}}
    required = ("seconds",)

    async def execute(self, **params: Any) -> CommandResult:
        await asyncio.sleep(params["seconds"])
        return SuccessResult(data={"label": params.get("label"), "seconds": params["seconds"]})


class FailingJob(QueuedCommand):
    """Answer an error, to clients alone that know tasks."""

    name = "failing_job"
    descr = "Answer an error after a while."
    mcp_requires: ClassVar[dict[str, Any]] = TASKS_EXTENSION

    async def execute(self, **_: Any) -> CommandResult:
        await asyncio.sleep(STEP_SECONDS)
        return ErrorResult(message="no paper")


class ProtocolErrorJob(QueuedCommand):
    """End its worker, so that there is nobody to answer."""

    name = "protocol_error_job"
    descr = "Crash."
    queue_options = QueueOptions(max_crashes=1)

    async def execute(self, **_: Any) -> CommandResult:
        os._exit(7)


class ConfirmDelete(QueuedCommand):
    """Ask before it goes on."""

    name = "confirm_delete"
    descr = "Delete a file if the user agrees."
    properties: ClassVar[dict[str, Any]] = {"filename": {"type": "string"}}
    required = ("filename",)

    async def execute(self, **params: Any) -> CommandResult:
        answer = await ask("confirm", f"Delete {params['filename']}?", confirm="boolean")
        return SuccessResult(data={"deleted": answer["confirm"]})


class MultiInput(QueuedCommand):
    """Ask two questions at once."""

    name = "multi_input"
    descr = "Ask for a name and for a confirmation."

    async def execute(self, **_: Any) -> CommandResult:
        name, confirmation = await asyncio.gather(
            ask("name", "What is your name?", name="string"),
            ask("confirmation", "Do you agree?", confirm="boolean"),
        )
        return SuccessResult(data={"name": name["name"], "confirmed": confirmation["confirm"]})


class GreetAsTask(QueuedCommand):
    """Ask for what is missing before there is a task."""

    name = "test_tool_with_task"
    descr = "Say hello in a task."
    properties: ClassVar[dict[str, Any]] = {"name": {"type": "string"}}
    mcp_requires: ClassVar[dict[str, Any]] = TASKS_EXTENSION
    mcp_ask_for: ClassVar[dict[str, tuple[str, ...]]] = {"user_name": ("name",)}

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(data={"greeting": f"Hello, {params['name']}!"})


class TakeSteps(QueuedCommand):
    """Report progress in three steps."""

    name = "take_steps"
    descr = "Take three steps."

    async def execute(self, **_: Any) -> CommandResult:
        for percent in (10, 50, 90):
            current_job().set_progress(percent)
            await asyncio.sleep(STEP_SECONDS)
        return SuccessResult(data={"steps": 3})


class WaitForSteps(Call):
    """Start the steps as a job and wait for it: whoever calls hears of its progress."""

    name = "test_tool_with_progress"
    descr = "Report progress in three steps."

    async def execute(self, **_: Any) -> CommandResult:
        manager = await get_global_queue_manager()
        job = await manager.submit_job(CommandExecutionJob, f"steps-{uuid.uuid4()}", {"command": TakeSteps.name})
        waited: CommandResult = await registry.get_command("queue_wait_job")().execute(job_id=job.job_id)
        return waited


async def ask(key: str, prompt: str, **fields: str) -> dict[str, Any]:
    """Ask for ``fields``, each with its JSON type; the answer by field."""
    properties = {field: {"type": kind} for field, kind in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(fields)}
    answer: dict[str, Any] = await current_job().ask_async(key, prompt, schema)
    return answer


TOOLS = (SlowCompute, FailingJob, ProtocolErrorJob, ConfirmDelete, MultiInput, GreetAsTask, TakeSteps, WaitForSteps)

for tool in TOOLS:
    registry.register(tool, "custom")
