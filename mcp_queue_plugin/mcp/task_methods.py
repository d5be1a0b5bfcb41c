"""``tasks/get``, ``tasks/update`` and ``tasks/cancel``: a job, as whoever it belongs to follows it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, METHOD_NOT_FOUND, RequestParams

from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.adapter.questions import answer_question
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobStateInvalid, QuestionNotFound, QueueError
from mcp_queue_plugin.mcp import capabilities
from mcp_queue_plugin.mcp.capabilities import RequestContext
from mcp_queue_plugin.mcp.crowd import Crowd
from mcp_queue_plugin.mcp.failures import as_mcp_error, refuse, require_command
from mcp_queue_plugin.mcp.questions import answer_of
from mcp_queue_plugin.mcp.task_state import EXTENSION, TaskTerms
from mcp_queue_plugin.model.states import ENDED_STATES

CANCELLED = "cancelled by its client"

DONE: dict[str, Any] = {"resultType": "complete"}


class TaskParams(RequestParams):
    """The task that is meant."""

    task_id: str


class UpdateParams(TaskParams):
    """Answers to its questions, by their keys."""

    input_responses: dict[str, Any]


class TaskMethods:
    """The methods of the extension, on 2026-07-28 and later."""

    def __init__(self, terms: TaskTerms, crowd: Crowd) -> None:
        """Tell tasks on ``terms``, to clients that make up ``crowd``."""
        self._terms = terms
        self._crowd = crowd

    def add_to(self, server: Server[Any]) -> None:
        """Serve them."""
        server.extensions[EXTENSION] = {}
        server.add_request_handler("tasks/get", TaskParams, self.get)
        server.add_request_handler("tasks/update", UpdateParams, self.update)
        server.add_request_handler("tasks/cancel", TaskParams, self.cancel)

    async def get(self, ctx: RequestContext, params: TaskParams) -> dict[str, Any]:
        """Answer how a task stands, with what has become of it."""
        _admit(ctx, params, "queue_get_job_status")
        answer = await _task(params.task_id)
        told = {**DONE, **self._terms.detailed(answer, time.time())}
        if answer.job.state in ENDED_STATES:
            self._crowd.sees_the_end_of(params.task_id)
            return told
        return self._crowd.looks_at(told, time.monotonic())

    async def update(self, ctx: RequestContext, params: UpdateParams) -> dict[str, Any]:
        """Answer questions of a task; those that it does not ask are passed over.

        Raises:
            MCPError: there is no such task, or an answer is not what its question asks for; others hold already.
        """
        _admit(ctx, params, "queue_answer_job")
        questions = {question.key: question for question in (await _task(params.task_id)).job.questions}
        try:
            for key in questions.keys() & params.input_responses.keys():
                action, value = answer_of(questions[key], params.input_responses[key])
                # Answered by somebody else meanwhile: that answer stands.
                with suppress(QuestionNotFound):
                    await answer_question(running_manager(), params.task_id, key, value, action)
        except QueueError as error:
            raise as_mcp_error(error) from error
        return dict(DONE)

    async def cancel(self, ctx: RequestContext, params: TaskParams) -> dict[str, Any]:
        """Stop a task; one that has ended stays as it is. The stop is committed before the answer."""
        _admit(ctx, params, "queue_stop_job")
        try:
            with suppress(JobStateInvalid):
                await running_manager().engine.stop_job(params.task_id, reason=CANCELLED, wait_seconds=0.0)
        except QueueError as error:
            raise as_mcp_error(error) from error
        self._crowd.sees_the_end_of(params.task_id)
        return dict(DONE)


def _admit(ctx: RequestContext, params: TaskParams, command: str) -> None:
    """Check a request for a task; ``command`` does the same for clients without tasks."""
    if not capabilities.is_modern(ctx):
        refuse("Method not found", METHOD_NOT_FOUND, ctx.method)
    capabilities.require(ctx, capabilities.TASKS)
    # Over HTTP it says which task is meant to whoever passes the request on, who must be able to rely on it.
    if ctx.request is not None and decode_header_value(ctx.request.headers.get(MCP_NAME_HEADER)) != params.task_id:
        refuse(f"the header {MCP_NAME_HEADER} is not the taskId of the request", HEADER_MISMATCH)
    require_command(command)


async def _task(task_id: str) -> Answer:
    try:
        return await running_manager().engine.status(task_id, with_place=True)
    except QueueError as error:
        raise as_mcp_error(error) from error
