"""Asking the queue's commands, as the adapter does."""

from __future__ import annotations

from typing import Any

from mcp_proxy_adapter.commands.result import CommandResult, ErrorResult, SuccessResult

from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS


async def run(name: str, **params: Any) -> CommandResult:
    return await QUEUE_COMMANDS[name].run(**params)


async def ask(name: str, **params: Any) -> dict[str, Any]:
    result = await run(name, **params)
    assert isinstance(result, SuccessResult), result.to_dict()
    return result.data


async def refused(name: str, **params: Any) -> dict[str, Any]:
    """The error of a refusal as a client reads it."""
    result = await run(name, **params)
    assert isinstance(result, ErrorResult), result.to_dict()
    error: dict[str, Any] = result.to_dict()["error"]
    return error


async def add(do: str = "result", **params: Any) -> str:
    job_id = new_job_id()
    await ask("queue_add_job", job_type="rows", job_id=job_id, params={"do": do}, **params)
    return job_id


async def ended(job_id: str) -> dict[str, Any]:
    record = await ask("queue_get_job_status", job_id=job_id)
    while record["status"] in {"pending", "running"}:
        record = await ask("queue_get_job_status", job_id=job_id, wait_seconds=20, known_version=record["version"])
    return record


async def running(job_id: str) -> dict[str, Any]:
    record = await ask("queue_get_job_status", job_id=job_id)
    while record["status"] == "pending":
        record = await ask("queue_get_job_status", job_id=job_id, wait_seconds=20, known_version=record["version"])
    return record
