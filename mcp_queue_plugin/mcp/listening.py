"""``subscriptions/listen``: a stream of what changes of tasks, of resources, and of the tools there are.

Each job that a stream is about is waited for in the engine, which wakes the wait when a change is committed: nobody
looks again and again, and what a client has not read yet is never more than one state of each job.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    INVALID_REQUEST,
    Notification,
    NotificationParams,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
)

from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import JobNotFound, QueueError
from mcp_queue_plugin.mcp import capabilities
from mcp_queue_plugin.mcp.capabilities import RequestContext
from mcp_queue_plugin.mcp.failures import as_mcp_error, refuse
from mcp_queue_plugin.mcp.resources import SCHEME, parsed
from mcp_queue_plugin.mcp.task_state import TaskTerms
from mcp_queue_plugin.model.states import ENDED_STATES

WAIT_SECONDS = 60.0
"""How long one wait for a change lasts: as long the engine may keep it for a stream that is gone."""

INTERVAL_SECONDS = 0.25
"""The shortest time between two changes of a job that are told; its end is told at once."""

RETRY_SECONDS = 1.0
"""After how long a job is looked for again that cannot be read now, because its engine is being started again."""

JOBS_PER_STREAM = 1000


class Listening:
    """Serves the streams of one server."""

    def __init__(self, terms: TaskTerms) -> None:
        """Tell tasks on ``terms``."""
        self._terms = terms
        self._streams: set[_Stream] = set()

    async def __call__(
        self, ctx: RequestContext, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream: first what of it is honoured, then what happens, until its client or the server goes.

        What a client may not see is not honoured, and that is all that it learns of it.

        Raises:
            MCPError: it asks for tasks and has not declared the extension, or for more than a stream may be about.
        """
        if ctx.request_id is None:
            refuse("subscriptions/listen needs the id of a request", INVALID_REQUEST)
        stream = _Stream(ctx, self._terms)
        honoured = await stream.prepare(params.notifications)
        self._streams.add(stream)
        try:
            await stream.send(
                SubscriptionsAcknowledgedNotification(
                    params=SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=stream.meta)
                )
            )
            await stream.serve()
        finally:
            self._streams.discard(stream)
        return SubscriptionsListenResult(_meta=stream.meta)

    def tools_have_changed(self) -> None:
        """Tell every stream that is about tools; callable on the server's loop alone."""
        for stream in self._streams:
            stream.tools_changed.set()

    def close(self) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.closing.set()


class _Stream:
    """One client's stream."""

    def __init__(self, ctx: RequestContext, terms: TaskTerms) -> None:
        self._ctx = ctx
        self._terms = terms
        self._is_about_tools = False
        self._tasks: dict[str, Answer] = {}
        """The jobs to be told as tasks, as they stand when the stream begins."""
        self._resources: dict[str, list[str]] = {}
        """The URIs to be told of, by the job that they name."""
        self.meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        self.tools_changed = asyncio.Event()
        self.closing = asyncio.Event()

    async def prepare(self, requested: SubscriptionFilter) -> SubscriptionFilter:
        """Find what is asked for; answers what of it is honoured."""
        task_ids = _texts((requested.model_extra or {}).get("taskIds"))
        if task_ids:
            capabilities.require(self._ctx, capabilities.TASKS)
        uris = [uri for uri in requested.resource_subscriptions or () if uri.startswith(SCHEME)]
        if len(task_ids) + len(uris) > JOBS_PER_STREAM:
            refuse(f"a stream is about {JOBS_PER_STREAM} tasks and resources at most")
        self._is_about_tools = bool(requested.tools_list_changed)
        for task_id in task_ids:
            if (answer := await _visible(task_id)) is not None:
                self._tasks[task_id] = answer
        for uri in uris:
            if await _visible(job_id := parsed(uri)[0]) is not None:
                self._resources.setdefault(job_id, []).append(uri)
        honoured = [uri for of_job in self._resources.values() for uri in of_job]
        extra: dict[str, Any] = {"taskIds": list(self._tasks)} if task_ids else {}
        return SubscriptionFilter(
            tools_list_changed=True if self._is_about_tools else None,
            resource_subscriptions=honoured or None,
            **extra,
        )

    async def send(self, notification: Any) -> None:
        """Send a notification on this stream."""
        await self._ctx.session.send_notification(notification, related_request_id=self._ctx.request_id)

    async def serve(self) -> None:
        """Tell what happens until the server closes; who is cancelled stops telling."""
        async with anyio.create_task_group() as telling:
            for job_id in {**self._tasks, **self._resources}:
                telling.start_soon(self._follow, job_id)
            if self._is_about_tools:
                telling.start_soon(self._tell_of_tools)
            await self.closing.wait()
            telling.cancel_scope.cancel()

    async def _tell_of_tools(self) -> None:
        while True:
            await self.tools_changed.wait()
            self.tools_changed.clear()
            await self.send(ToolListChangedNotification(params=NotificationParams(_meta=self.meta)))

    async def _follow(self, job_id: str) -> None:
        """Tell a job's state and then each change, to its end."""
        answer = self._tasks.get(job_id)
        if answer is not None:
            await self._tell(job_id, answer)
        version = None if answer is None else answer.job.version
        while answer is None or answer.job.state not in ENDED_STATES:
            try:
                answer = await _next_state(job_id, version)
            except JobNotFound:
                return
            except QueueError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if version is not None and answer.job.version != version:
                await self._tell(job_id, answer)
            version = answer.job.version

    async def _tell(self, job_id: str, answer: Answer) -> None:
        if job_id in self._tasks:
            told = {**self._terms.detailed(answer, time.time()), "_meta": self.meta}
            await self.send(Notification[dict[str, Any], str](method="notifications/tasks", params=told))
        for uri in self._resources.get(job_id, ()):
            params = ResourceUpdatedNotificationParams(uri=uri, _meta=self.meta)
            await self.send(ResourceUpdatedNotification(params=params))


async def _next_state(job_id: str, version: int | None) -> Answer:
    """How a job stands, once it has changed since ``version``."""
    engine = running_manager().engine
    if version is None:
        return await engine.status(job_id, with_place=True)
    answer = await engine.status(job_id, wait_seconds=INTERVAL_SECONDS, until="attention", with_place=True)
    if answer.job.version != version or answer.job.state in ENDED_STATES:
        return answer
    return await engine.status(job_id, wait_seconds=WAIT_SECONDS, known_version=version, with_place=True)


async def _visible(job_id: str) -> Answer | None:
    try:
        return await running_manager().engine.status(job_id, with_place=True)
    except JobNotFound:
        return None
    except QueueError as error:
        raise as_mcp_error(error) from error


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
