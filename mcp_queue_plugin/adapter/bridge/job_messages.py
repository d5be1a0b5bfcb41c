"""What the adapter lets clients ask and say of jobs beside the queue's commands: of those that exist for them alone.

Of a job that does not exist for a caller it is answered what is answered of one that there is not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

from mcp_proxy_adapter.api import jsonrpc_job_lifecycle, jsonrpc_job_status, ws_endpoint
from mcp_proxy_adapter.core.errors import ValidationError
from mcp_proxy_adapter.core.job_push.events import build_command_error_message
from mcp_proxy_adapter.core.job_push.job_status_accumulator import JobStatusAccumulator

from mcp_queue_plugin.adapter.bridge.server import wrap
from mcp_queue_plugin.adapter.bridge.subscriptions import COMMAND_SESSION
from mcp_queue_plugin.adapter.callers import viewer
from mcp_queue_plugin.errors import JobNotFound
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, Job

Params = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[..., Awaitable[Answer]]
Visible = Callable[[str], Awaitable[Job | None]]
"""Answers the record of a job that exists for the caller."""
Waiting = Callable[[], AbstractContextManager[None]]
"""Counts a call that waits."""

TRACKED_MAX = 10_000
"""How many ids the adapter is asked to remember at the same time."""

WAIT_MAX_SECONDS = 3600.0

_SAYINGS = ("jsonrpc_job_input_accepted", "jsonrpc_job_processing_step", "jsonrpc_artifact_ready")
_NOTHING: Answer = {"success": True, "data": None}


class JobMessages:
    """Stands before the adapter's own handlers."""

    def __init__(self, visible: Visible, waiting: Waiting) -> None:
        """Ask ``visible`` for a job as its caller sees it, and let each call that waits do so in ``waiting``."""
        self._visible = visible
        self._waiting = waiting

    def install(self) -> None:
        """Put this before the adapter's handlers; again does nothing."""
        for name in _SAYINGS:
            wrap(jsonrpc_job_lifecycle, name, self._saying)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_register", self._register)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_unregister", self._unregister)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_get", self._get)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_wait", self._wait)
        wrap(ws_endpoint, "_handle_resume_command_events", self._resume)

    def _saying(self, say: Handler) -> Handler:
        async def guarded(params: Params) -> Answer:
            job_id = _text(params, "job_id")
            if viewer() is not None and await self._visible(job_id) is None:
                raise ValidationError(JobNotFound(job_id).message, data=JobNotFound(job_id).details())
            return await say(params)

        return guarded

    def _register(self, register: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            memory = _memory(request)
            job_id, ws_id = _text(params, "job_id"), _text(params, "ws_id")
            if max(len(job_id), len(ws_id)) > JOB_ID_MAX_LENGTH or len(memory._active) >= TRACKED_MAX:
                raise ValidationError("ids are too long, or too many are tracked already", data={"field": "job_id"})
            if viewer() is None or not (job_id and ws_id) or await self._visible(job_id) is not None:
                MAPPED_AT[job_id] = time.time()
                return await register(params, request)
            # What becomes known of the job must not go to the caller's ``ws_id``.
            return {**await register({"job_id": job_id}, request), "ws_id": ws_id}

        return guarded

    def _unregister(self, unregister: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            job_id = _text(params, "job_id")
            if viewer() is None or not job_id or await self._visible(job_id) is not None:
                return await unregister(params, request)
            return {"success": True}

        return guarded

    def _get(self, get: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            named = _named(params, request)
            if viewer() is None or not named:
                return await get(params, request)
            job = await self._visible(named)
            return _NOTHING if job is None else _of(job, await get(params, request))

        return guarded

    def _wait(self, wait: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            _check_wait(params.get("timeout_seconds"))
            named = _named(params, request)
            with self._waiting():
                if viewer() is None or not named:
                    return await wait(params, request)
                job = await self._visible(named)
                if job is None:
                    # An id that nobody has, so that it takes as long as one that there is not.
                    return await wait({**params, "job_id": "\0", "ws_id": None}, request)
                return _of(job, await wait(params, request))

        return guarded

    def _resume(self, resume: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def guarded(ctx: Any, data: Params) -> None:
            job_id = _text(data, "job_id")
            if viewer() is None or not job_id:
                await resume(ctx, data)
                return
            job = await self._visible(job_id)
            last = await ctx.app.state.job_status_accumulator.get_snapshot(job_id=job_id)
            if job is not None and not (last and _is_older(last, job)):
                await resume(ctx, data)
                return
            await ctx.registry.subscribe(job_id, COMMAND_SESSION, ctx.subscriber)
            await ctx.send(build_command_error_message(error="resume_not_available", job_id=job_id))

        return guarded


MAPPED_AT: dict[str, float] = {}
"""When the events of a job were asked for under the id of a delivery; an older job may have had the same id."""


def forget_older_mapping(app: Any, job_id: str, job: Job) -> None:
    """Let the events of ``job`` go to no delivery that was asked for when its id was another's."""
    if MAPPED_AT.get(job_id, math.inf) >= job.created_at:
        return
    del MAPPED_AT[job_id]
    memory: JobStatusAccumulator = app.state.job_status_accumulator
    memory._ws_to_job.pop(memory._job_to_ws.pop(job_id, ""), None)
    app.state.ws_delivery_manager._job_to_ws.pop(job_id, None)


def _memory(request: Any) -> JobStatusAccumulator:
    return jsonrpc_job_status._get_accumulator(request)


def _text(params: Params, key: str) -> str:
    return jsonrpc_job_status._opt_str(params, key)


def _named(params: Params, request: Any) -> str:
    """The job that is asked about, by its own id or that of a delivery; empty for a delivery of something else."""
    return _text(params, "job_id") or _memory(request)._ws_to_job.get(_text(params, "ws_id"), "")


def _of(job: Job, answer: Answer) -> Answer:
    """``answer``, unless it tells of an older job of the same id."""
    told = answer.get("data")
    return {**answer, "data": None} if told and _is_older(told, job) else answer


def _is_older(told: Any, job: Job) -> bool:
    return bool(told.get("last_update_unix", math.inf) < job.created_at)


def _check_wait(seconds: Any) -> None:
    try:
        valid = seconds is None or 0 <= float(seconds) <= WAIT_MAX_SECONDS
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise ValidationError(
            f"timeout_seconds must be a number from 0 to {WAIT_MAX_SECONDS:g}", data={"field": "timeout_seconds"}
        )
