"""``tools/call``: a command is run, or started as a job whose task, or id, is the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_types import INTERNAL_ERROR, CallToolRequestParams, CallToolResult

from mcp_queue_plugin.adapter.access import caller_as_user, check_command
from mcp_queue_plugin.adapter.bridge import tools
from mcp_queue_plugin.adapter.bridge.tools import CommandDescription, CommandRefused
from mcp_queue_plugin.adapter.enqueue import running_manager, start_answer, submit_command
from mcp_queue_plugin.adapter.waits import WAIT_MAX_SECONDS, WaitTerms, waiting_on
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import AccessDenied, QueueError
from mcp_queue_plugin.mcp import answers, capabilities
from mcp_queue_plugin.mcp.arguments import missing_arguments
from mcp_queue_plugin.mcp.capabilities import RequestContext
from mcp_queue_plugin.mcp.catalog import Catalog
from mcp_queue_plugin.mcp.crowd import Crowd
from mcp_queue_plugin.mcp.failures import as_mcp_error, refuse
from mcp_queue_plugin.mcp.fitting import Fitting
from mcp_queue_plugin.mcp.task_state import TaskTerms, status_message
from mcp_queue_plugin.model.job import Job

WAIT_WITH = "queue_wait_job"

logger = logging.getLogger(__name__)

CallResult = CallToolResult | dict[str, Any]


class ToolCalls:
    """Answers tool calls."""

    def __init__(self, catalog: Catalog, terms: TaskTerms, crowd: Crowd) -> None:
        """Call the tools of ``catalog``; tasks are told on ``terms``, to clients that are part of ``crowd``."""
        self._catalog = catalog
        self._terms = terms
        self._crowd = crowd
        self._run_fitting = Fitting(terms.max_output_bytes, run_with_context)

    async def __call__(self, ctx: RequestContext, params: CallToolRequestParams) -> CallResult:
        """Answer one call.

        Raises:
            MCPError: there is no such tool for this caller, or its client lacks what the tool requires.
        """
        offered = self._catalog.find(params.name)
        if offered is None:
            refuse(f"there is no tool {params.name!r}")
        command, arguments = offered.command, dict(params.arguments or {})
        capabilities.require(ctx, command.requires)
        if capabilities.takes_forms(ctx):
            question = missing_arguments(command, arguments, params.input_responses)
            if question is not None:
                return question
        return await self._answered(ctx, command, arguments)

    async def _answered(
        self, ctx: RequestContext, command: CommandDescription, arguments: dict[str, Any]
    ) -> CallResult:
        try:
            check_command(command.name, arguments)
            run = self._start if command.use_queue else self._run
            return await run(ctx, command, arguments)
        except AccessDenied as error:
            raise as_mcp_error(error) from error
        except QueueError as error:
            return self._failed({"message": error.message, "code": error.code, "data": error.details()})
        except CommandRefused as error:
            return self._failed(error.answer)
        except Exception:
            # The border to the application's commands; what broke there is for the log, and not for who called.
            logger.exception("The tool %s failed", command.name)
            return self._failed(
                {"message": f"{command.name} failed; the server's log says why", "code": INTERNAL_ERROR}
            )

    async def _start(self, ctx: RequestContext, command: CommandDescription, arguments: dict[str, Any]) -> CallResult:
        tools.check_parameters(command.name, arguments)
        answer = await submit_command(running_manager(), command.name, arguments, _context())
        return self._started(ctx, answer)

    async def _run(self, ctx: RequestContext, command: CommandDescription, arguments: dict[str, Any]) -> CallResult:
        with waiting_on(WaitTerms(WAIT_MAX_SECONDS, progress_of(ctx))):
            run = self._run_fitting if command.ends_in_time else run_with_context
            envelope = await run(command.name, arguments)
        if envelope.get("queued_after_timeout"):
            return self._started(ctx, await running_manager().engine.status(envelope["job_id"]))
        return answers.of_envelope(envelope, self._terms.max_output_bytes)

    def _started(self, ctx: RequestContext, answer: Answer) -> CallResult:
        if capabilities.has(ctx, capabilities.TASKS):
            created = self._terms.created(answer, time.time())
            return self._crowd.looks_at(created, time.monotonic())
        told = start_answer(answer, WAIT_WITH)
        del told["success"]
        said = f"Started job {answer.job.job_id}: call {WAIT_WITH} with this job_id for its result."
        return answers.of_data({**told, "message": said}, self._terms.max_output_bytes)

    def _failed(self, error: dict[str, Any]) -> CallToolResult:
        return answers.of_error(error, self._terms.max_output_bytes)


async def run_with_context(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run a command in the server, on behalf of who calls.

    Raises:
        CommandRefused: it did not take its parameters.
    """
    return await tools.run_in_server(name, params, _context())


def progress_of(ctx: RequestContext) -> Callable[[Job], Awaitable[None]] | None:
    """What tells the client of a call how far a job is; None if it has not asked for that."""
    if "progress_token" not in (ctx.meta or {}):
        return None
    last = -1

    async def tell(job: Job) -> None:
        nonlocal last
        # The protocol wants it to grow with every notification.
        if job.progress > last:
            last = job.progress
            await ctx.session.report_progress(float(job.progress), 100.0, status_message(Answer(job), time.time()))

    return tell


def _context() -> dict[str, Any]:
    user = caller_as_user()
    return {"user": user} if user else {}
