"""What the adapter lets clients ask and say of jobs beside the queue's commands: of those that exist for them alone.

Of a job that does not exist for a caller it is answered what is answered of one that there is not.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

from mcp_proxy_adapter.api import jsonrpc_job_lifecycle, jsonrpc_job_status, ws_endpoint
from mcp_proxy_adapter.core.errors import ValidationError
from mcp_proxy_adapter.core.job_push.events import ACTION_SUBSCRIBE_ERROR, build_command_error_message
from mcp_proxy_adapter.core.job_push.job_status_accumulator import JobStatusAccumulator
from mcp_proxy_adapter.core.job_push.transfer_push import get_transfer_push_app

from mcp_queue_plugin.adapter.bridge.server import adapter_error, wrap
from mcp_queue_plugin.adapter.bridge.subscriptions import COMMAND_SESSION, SUBSCRIPTIONS_MAX
from mcp_queue_plugin.adapter.callers import viewer
from mcp_queue_plugin.errors import JobNotFound, QueueError
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, Job

Params = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[..., Awaitable[Answer]]
Find = Callable[[str], Awaitable[Job | None]]
"""Answers the record of a job, whoever calls."""
Waiting = Callable[[], AbstractContextManager[None]]
"""Counts a call that waits."""

TRACKED_MAX = 2_000
"""How many ids the adapter remembers for one caller at the same time."""

WAIT_DEFAULT_SECONDS, WAIT_MAX_SECONDS = 300.0, 3600.0

SLACK_SECONDS = 5.0
"""A job may be told of so long before its record says that it was made: a session is accepted first."""

_SAYINGS = ("jsonrpc_job_input_accepted", "jsonrpc_job_processing_step", "jsonrpc_artifact_ready")
_NOTHING: Answer = {"success": True, "data": None}


class JobMessages:
    """Stands before the adapter's own handlers."""

    def __init__(self, find: Find, waiting: Waiting) -> None:
        """Ask ``find`` for jobs, and let each call that waits do so in ``waiting``."""
        self._find = find
        self._waiting = waiting
        self._tracked: defaultdict[str | None, set[str]] = defaultdict(set)

    def install(self) -> None:
        """Put this before the adapter's handlers; again does nothing."""
        for name in _SAYINGS:
            wrap(jsonrpc_job_lifecycle, name, self._saying)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_register", self._register)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_unregister", self._unregister)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_get", self._get)
        wrap(jsonrpc_job_status, "jsonrpc_job_status_wait", self._wait)
        wrap(ws_endpoint, "_handle_subscribe", _bounded)
        wrap(ws_endpoint, "_handle_resume_command_events", lambda resume: _bounded(self._resume(resume)))

    async def _visible(self, job_id: str) -> Job | None:
        job = await self._find(job_id)
        return job if job is not None and job.is_visible_to(viewer()) else None

    def _saying(self, say: Handler) -> Handler:
        async def guarded(params: Params) -> Answer:
            job_id = _text(params, "job_id")
            job = await self._find(job_id)
            if viewer() is not None and (job is None or not job.is_visible_to(viewer())):
                raise ValidationError(JobNotFound(job_id).message, data=JobNotFound(job_id).details())
            app = get_transfer_push_app()
            if job is not None and app is not None:
                # It goes to all who are subscribed now.
                app.state.job_push_registry.end_for_others(job_id, job.owner)
            return await say(params)

        return guarded

    def _register(self, register: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            job_id, ws_id = _text(params, "job_id"), _text(params, "ws_id")
            self._track(_memory(request), job_id, ws_id)
            if not (job_id and ws_id):
                return await register(params, request)
            if viewer() is None:
                MAPPED_UIDS.pop(job_id, None)
                return await register(params, request)
            job = await self._visible(job_id)
            if job is None:
                # What becomes known of the job must not go to the caller's ``ws_id``.
                return {**await register({"job_id": job_id}, request), "ws_id": ws_id}
            MAPPED_UIDS[job_id] = job.uid
            return await register(params, request)

        return guarded

    def _track(self, memory: JobStatusAccumulator, job_id: str, ws_id: str) -> None:
        tracked = self._tracked[viewer()]
        if len(tracked) >= TRACKED_MAX:
            tracked.intersection_update(key.partition(":")[2] for key in memory._active)
        if len(tracked) >= TRACKED_MAX or max(len(job_id), len(ws_id)) > JOB_ID_MAX_LENGTH:
            raise ValidationError(
                f"ids have up to {JOB_ID_MAX_LENGTH} characters, and {TRACKED_MAX} are tracked at the same time",
                data={"field": "job_id"},
            )
        tracked.update(filter(None, (job_id, ws_id)))

    def _unregister(self, unregister: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            named = {key: text for key in ("job_id", "ws_id") if (text := _text(params, key))}
            if viewer() is None or not named:
                return await unregister(params, request)
            tracked = self._tracked[viewer()]
            own = {key: text for key, text in named.items() if text in tracked}
            tracked.difference_update(own.values())
            return await unregister(own, request) if own else {"success": True}

        return guarded

    def _get(self, get: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            named = _named(params, request)
            if viewer() is None or not named:
                return await get(params, request)
            job = await self._visible(named)
            return _NOTHING if job is None else _of(job, await get({"job_id": named}, request))

        return guarded

    def _wait(self, wait: Handler) -> Handler:
        async def guarded(params: Params, request: Any = None) -> Answer:
            seconds = _wait_seconds(params.get("timeout_seconds"))
            named = _named(params, request)
            try:
                with self._waiting():
                    if viewer() is None or not named:
                        return await wait({**params, "timeout_seconds": seconds}, request)
                    job = await self._visible(named)
                    if job is not None:
                        return _of(job, await wait({"job_id": named, "timeout_seconds": seconds}, request))
                    await asyncio.sleep(seconds)
                    return {**_NOTHING, "timed_out": True}
            except QueueError as error:
                raise adapter_error(error) from error

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


MAPPED_UIDS: dict[str, int] = {}
"""Of the jobs whose events callers that see their own alone have asked for under the id of a delivery, which it was."""


def forget_others_mapping(app: Any, job: Job) -> None:
    """Let the events of ``job`` go to no delivery that was asked for when its id was another's."""
    if MAPPED_UIDS.get(job.job_id, job.uid) != job.uid:
        memory: JobStatusAccumulator = app.state.job_status_accumulator
        memory._ws_to_job.pop(memory._job_to_ws.pop(job.job_id, ""), None)
        end_mapping(app, job.job_id)


def end_mapping(app: Any, job_id: str) -> None:
    """Send no more events of a job to a delivery that a caller which sees its own alone has asked for.

    What was said of it may still be asked for by the id of the delivery.
    """
    if MAPPED_UIDS.pop(job_id, None) is not None:
        app.state.ws_delivery_manager._job_to_ws.pop(job_id, None)


def _bounded(subscribe: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A way to subscribe that refuses ids that are too long, and too many of them."""

    async def guarded(ctx: Any, data: Params) -> None:
        ids = [str(data.get(key) or "") for key in ("job_id", "ws_id", "transfer_id")]
        full = len(ctx.registry._subscriber_index.get(ctx.subscriber, ())) >= SUBSCRIPTIONS_MAX
        if full or max(map(len, ids)) > JOB_ID_MAX_LENGTH:
            said = f"ids have up to {JOB_ID_MAX_LENGTH} characters, and a connection {SUBSCRIPTIONS_MAX} subscriptions"
            await ctx.send({"action": ACTION_SUBSCRIBE_ERROR, "error": said})
            return
        await subscribe(ctx, data)

    return guarded


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
    return bool(told.get("last_update_unix", math.inf) < job.created_at - SLACK_SECONDS)


def _wait_seconds(said: Any) -> float:
    try:
        seconds = WAIT_DEFAULT_SECONDS if said is None else float(said)
        if 0 <= seconds <= WAIT_MAX_SECONDS:
            return seconds
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValidationError(
        f"timeout_seconds must be a number from 0 to {WAIT_MAX_SECONDS:g}", data={"field": "timeout_seconds"}
    )
