"""Commands that sign each of their runs in a book, which survives whatever kills their process."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import QueueOptions, current_job
from tests.acceptance.app.base import QueuedCommand, append

HELPER_SECONDS = "120"


class Sign(QueuedCommand):
    """Sign the run as a line of ``book``: the job, its attempt, the run's own name, and when it began.

    It goes on for ``seconds``, with ``helper`` beside a process in a session of its own, and fails in its first
    ``failures`` attempts.
    """

    name = "sign"
    properties: ClassVar[dict[str, Any]] = {
        "book": {"type": "string"},
        "seconds": {"type": "number"},
        "helper": {"type": "boolean"},
        "failures": {"type": "integer"},
    }
    required = ("book",)
    queue_options = QueueOptions(retry_base_seconds=0.05, max_crashes=1_000)

    async def execute(self, **params: Any) -> CommandResult:
        job, run = current_job(), uuid.uuid4().hex
        append(params["book"], f"{job.job_id} {job.attempt} {run} {time.monotonic()}\n")
        job.set_description("running")
        helper = subprocess.Popen(["sleep", HELPER_SECONDS], start_new_session=True) if params.get("helper") else None  # noqa: ASYNC220
        await asyncio.sleep(params.get("seconds", 0))
        if helper is not None:
            helper.kill()
            helper.wait()
        if job.attempt <= params.get("failures", 0):
            raise ValueError("it was to fail")
        return SuccessResult(data={"run": run})


class SignOnce(Sign):
    """The same, and never a second time: an interruption ends it."""

    name = "sign_once"
    queue_options = QueueOptions(on_interrupt="fail")


for command in (Sign, SignOnce):
    registry.register(command, "custom")
