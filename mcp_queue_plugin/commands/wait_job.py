"""``queue_wait_job``: one bounded wait for what a client has to look at."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.waits import wait_terms
from mcp_queue_plugin.commands.base import JOB_ID, READS, WAIT_SECONDS, QueueCommand, within_cap
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.engine.watch import is_over
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import State

WAIT_DEFAULT_SECONDS = 25.0
"""Below the 30 seconds after which careful clients and proxies give up on a call."""

CHANGE_INTERVAL_SECONDS = 0.25
"""The shortest time between two changes that are told while a call waits."""


class QueueWaitJobCommand(QueueCommand):
    """Wait for a job."""

    name = "queue_wait_job"
    mcp_annotations = READS
    descr = (
        "Wait until a job has ended or asks something, at most wait_seconds; answers its record, with the result once "
        "it has one. If timed_out is true the job still runs: call this again"
    )
    properties: ClassVar[dict[str, Any]] = {
        "job_id": JOB_ID,
        "wait_seconds": {**WAIT_SECONDS, "description": "Wait up to so many seconds", "default": WAIT_DEFAULT_SECONDS},
    }
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the record, whether the wait was over before its reason came, and in words what to do next."""
        seconds, capped = within_cap(params.get("wait_seconds", WAIT_DEFAULT_SECONDS))
        with manager.waits.one():
            answer = await _wait(manager.engine, params["job_id"], seconds)
        return {**record(answer), "timed_out": answer.timed_out, "next": _next(answer.job), **capped}


async def _wait(engine: EngineClient, job_id: str, seconds: float) -> Answer:
    on_change = wait_terms().on_change
    if on_change is None:
        return await engine.status(job_id, wait_seconds=seconds, until="attention", with_place=True)
    until = time.monotonic() + seconds
    answer = await engine.status(job_id, with_place=True)
    while not (over := is_over(answer.job, "attention", 0)) and (rest := until - time.monotonic()) > 0:
        await on_change(answer.job)
        # Two steps: what lies between two changes that are told is skipped, the end is not held up.
        known, pause = answer.job.version, min(CHANGE_INTERVAL_SECONDS, rest)
        answer = await engine.status(job_id, wait_seconds=pause, until="attention", with_place=True)
        if answer.timed_out and (rest := until - time.monotonic()) > 0:
            answer = await engine.status(job_id, wait_seconds=rest, known_version=known, with_place=True)
    return answer._replace(timed_out=not over)


def _next(job: Job) -> str:
    if job.state is State.INPUT_REQUIRED:
        return "Answer its questions with queue_answer_job, then call queue_wait_job again."
    if is_over(job, "end", 0):
        return "The job has ended; there is nothing more to wait for."
    return "The job has not ended: call queue_wait_job again."
