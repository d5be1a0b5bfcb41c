"""Plain functions as jobs, and the command that an application would enqueue them from."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import QueueOptions, current_job, register_job_type, task


@task
def count_words(text: str, *, at_least: int = 1) -> dict[str, int]:
    """How often each word occurs that has ``at_least`` letters."""
    print("counting")
    current_job().set_description("counted")
    words = [word for word in text.lower().split() if len(word) >= at_least]
    return {word: words.count(word) for word in words}


@task(name="greeting", priority=3)
async def greet(name: str) -> str:
    return f"Hello {name}, this is attempt {current_job().attempt}."


class EnqueueTask(Command):
    """Enqueue a task, in the server; what does not fit the task is the caller's mistake."""

    name = "enqueue_task"
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"task": {"type": "string"}}, "additionalProperties": True}

    async def execute(self, **params: Any) -> CommandResult:
        arguments = {name: value for name, value in params.items() if name not in ("task", "context")}
        if params["task"] == "greet":
            job = await greet.with_options(QueueOptions(priority=9), job_id="greeting-1").enqueue(**arguments)
        else:
            job = await count_words.enqueue(**arguments)
        return SuccessResult(data={"job_id": job.job_id, "status": job.status})


registry.register(EnqueueTask, "custom")
register_job_type("count_words", count_words)
