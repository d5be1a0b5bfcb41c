"""MCP clients of the official SDK, as the tests use them: with the extension for tasks, and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Request, RequestParams, Result, TextContent
from pydantic import ConfigDict

TASKS = "io.modelcontextprotocol/tasks"
ENDED = ("completed", "failed", "cancelled")
FOLLOW_SECONDS = 60.0
RETRY_SECONDS = 0.2
CALL_SECONDS = 90.0
POLL_MAX_SECONDS = 0.2
"""The tests look more often than a server asks them to."""


class OpenResult(Result):
    """Whatever a server answers, with the names of the wire."""

    model_config = ConfigDict(extra="allow")

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class CreatedTask(OpenResult):
    """What a tool answers that has become a task."""

    result_type: Literal["task"] = "task"


class TaskParams(RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


async def get_task(session: ClientSession, task_id: str) -> dict[str, Any]:
    """How a task stands, as it is on the wire."""
    answer = await session.send_request(GetTask(params=TaskParams(task_id=task_id)), OpenResult)
    return answer.fields


async def cancel_task(session: ClientSession, task_id: str) -> dict[str, Any]:
    answer = await session.send_request(CancelTask(params=TaskParams(task_id=task_id)), OpenResult)
    return answer.fields


async def update_task(session: ClientSession, task_id: str, responses: dict[str, Any]) -> dict[str, Any]:
    params = UpdateParams(task_id=task_id, input_responses=responses)
    return (await session.send_request(UpdateTask(params=params), OpenResult)).fields


async def task_until(session: ClientSession, task_id: str, *statuses: str) -> dict[str, Any]:
    """Poll a task until its status is one of these."""
    async with asyncio.timeout(FOLLOW_SECONDS):
        while (task := await get_task(session, task_id))["status"] not in statuses:
            assert task["status"] not in ENDED, task
            await asyncio.sleep(min(POLL_MAX_SECONDS, task["pollIntervalMs"] / 1000))
    return task


class FollowsTasks(ClientExtension):
    """What a client needs to know of tasks: it follows each to its end, and answers what the tool has answered."""

    identifier = TASKS

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        """The answers that have created tasks."""

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return (ResultClaim(result_type="task", model=CreatedTask, resolve=self._follow),)

    async def _follow(self, created: CreatedTask, context: ClaimContext) -> CallToolResult:
        self.created.append(created.fields)
        task = await task_until(context.session, created.fields["taskId"], *ENDED)
        if task["status"] == "completed":
            return CallToolResult.model_validate(task["result"])
        raise MCPError(**task.get("error", {"code": 0, "message": "cancelled"}))


@asynccontextmanager
async def connected(
    address: str,
    *,
    tasks: bool = True,
    mode: str = "auto",
    token: str | None = None,
    path: str = "/mcp",
    **options: Any,
) -> AsyncIterator[Client]:
    """A client of the server at ``address``; one that knows ``tasks`` follows those that its calls become."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=CALL_SECONDS) as http:
        transport = streamable_http_client(f"{address}{path}", http_client=http)
        extensions = [FollowsTasks()] if tasks and mode != "legacy" else []
        try:
            async with Client(transport, mode=mode, extensions=extensions, **options) as client:
                yield client
        except BaseExceptionGroup as group:
            raise _cause_of(group) from None


def _cause_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What has really happened inside the SDK's task groups."""
    cause: BaseException = group
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        (cause,) = cause.exceptions
    return cause


async def start_task(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that becomes a task; answers what the task was created with."""
    created = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(created, CreatedTask), created
    return created.fields


async def start_job(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool as a client without tasks; answers the id of the job that it has started."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer
    return str(answer.structured_content["job_id"])


async def wait_for_job(client: Client, job_id: str, **options: Any) -> dict[str, Any]:
    """Call ``queue_wait_job`` as its answers say, until the job has ended."""
    while True:
        answer = await client.call_tool("queue_wait_job", {"job_id": job_id}, **options)
        assert not answer.is_error, answer
        record: dict[str, Any] = answer.structured_content
        if not record["timed_out"]:
            return record


def text_of(answer: CallToolResult) -> str:
    """The text that a model reads."""
    (block,) = answer.content
    assert isinstance(block, TextContent)
    return block.text
