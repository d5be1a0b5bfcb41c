"""``subscriptions/listen``: a stream of what changes of tasks, of resources, and of the tools there are.

Each job that a stream is about is waited for in the engine, which wakes the wait when a change is committed: nobody
looks again and again, and what a client has not read yet is never more than one state of each job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from mcp_queue_plugin.mcp.failures import as_mcp_error, refuse, require_command
from mcp_queue_plugin.mcp.resources import part_of_job
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
        self._is_closed = False

    async def __call__(
        self, ctx: RequestContext, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream: first what of it is honoured, then what happens, until its client or the server goes.

        What a client may not see is not honoured, and that is all that it learns of it. Each job that a stream is about
        is one of the waits that a caller may have.

        Raises:
            MCPError: it asks for tasks and has not declared the extension, or for more than a stream may be about.
        """
        if ctx.request_id is None:
            refuse("subscriptions/listen needs the id of a request", INVALID_REQUEST)
        stream = _Stream(ctx, self._terms)
        honoured = await stream.prepare(params.notifications)
        with stream.waits():
            self._streams.add(stream)
            if self._is_closed:
                stream.closing.set()
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
        """End all streams, those that are about to begin included."""
        self._is_closed = True
        for stream in self._streams:
            stream.closing.set()


class _Stream:
    """One client's stream."""

    def __init__(self, ctx: RequestContext, terms: TaskTerms) -> None:
        self._ctx = ctx
        self._terms = terms
        self._is_about_tools = False
        self._versions: dict[str, int] = {}
        """The jobs that it is about, and the version of each when the stream began."""
        self._tasks: set[str] = set()
        """Those of them that are told as tasks."""
        self._resources: dict[str, list[str]] = {}
        """The URIs to be told of, by the job that they name."""
        self.meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        self.tools_changed = asyncio.Event()
        self.closing = asyncio.Event()

    async def prepare(self, requested: SubscriptionFilter) -> SubscriptionFilter:
        """Find what is asked for; answers what of it is honoured."""
        wants_tasks = "taskIds" in (requested.model_extra or {})
        task_ids = _texts((requested.model_extra or {}).get("taskIds"))
        if wants_tasks:
            capabilities.require(self._ctx, capabilities.TASKS)
        uris = {
            uri: named[0] for uri in requested.resource_subscriptions or () if (named := part_of_job(uri)) is not None
        }
        if len(task_ids) + len(uris) > JOBS_PER_STREAM:
            refuse(f"a stream is about {JOBS_PER_STREAM} tasks and resources at most")
        if task_ids or uris:
            require_command("queue_get_job_status")
        for job_id in {**dict.fromkeys(task_ids), **dict.fromkeys(uris.values())}:
            if (version := await _version_of(job_id)) is not None:
                self._versions[job_id] = version
        self._tasks = {task_id for task_id in task_ids if task_id in self._versions}
        for uri, job_id in uris.items():
            if job_id in self._versions:
                self._resources.setdefault(job_id, []).append(uri)
        self._is_about_tools = bool(requested.tools_list_changed)
        extra: dict[str, Any] = {"taskIds": [each for each in self._versions if each in self._tasks]}
        return SubscriptionFilter(
            tools_list_changed=True if self._is_about_tools else None,
            resource_subscriptions=[uri for uri, job_id in uris.items() if job_id in self._versions] or None,
            **(extra if wants_tasks else {}),
        )

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Count each of its jobs as a wait of the caller's within the block.

        Raises:
            MCPError: the caller has as many waits as it may.
        """
        with ExitStack() as stack:
            try:
                for _ in self._versions:
                    stack.enter_context(running_manager().waits.one())
            except QueueError as error:
                raise as_mcp_error(error) from error
            yield

    async def send(self, notification: Any) -> None:
        """Send a notification on this stream."""
        await self._ctx.session.send_notification(notification, related_request_id=self._ctx.request_id)

    async def serve(self) -> None:
        """Tell what happens until the server closes; who is cancelled stops telling."""
        async with anyio.create_task_group() as telling:
            for job_id, version in self._versions.items():
                telling.start_soon(self._follow, job_id, version)
            if self._is_about_tools:
                telling.start_soon(self._tell_of_tools)
            await self.closing.wait()
            telling.cancel_scope.cancel()

    async def _tell_of_tools(self) -> None:
        while True:
            await self.tools_changed.wait()
            self.tools_changed.clear()
            await self.send(ToolListChangedNotification(params=NotificationParams(_meta=self.meta)))

    async def _follow(self, job_id: str, version: int) -> None:
        """Tell how a job stands if it is a task, and then each change, to its end."""
        known = None if job_id in self._tasks else version
        is_over = False
        while not is_over:
            try:
                answer = await _next_state(job_id, known)
            except JobNotFound:
                return
            except QueueError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if answer.job.version != known:
                await self._tell(job_id, answer, is_change=answer.job.version != version)
            known = answer.job.version
            is_over = answer.job.state in ENDED_STATES

    async def _tell(self, job_id: str, answer: Answer, *, is_change: bool) -> None:
        if job_id in self._tasks:
            told = {**self._terms.detailed(answer, time.time()), "_meta": self.meta}
            await self.send(Notification[dict[str, Any], str](method="notifications/tasks", params=told))
        for uri in self._resources.get(job_id, ()) if is_change else ():
            params = ResourceUpdatedNotificationParams(uri=uri, _meta=self.meta)
            await self.send(ResourceUpdatedNotification(params=params))


async def _next_state(job_id: str, version: int | None) -> Answer:
    """How a job stands, once it has changed since ``version``."""
    engine = running_manager().engine
    if version is None:
        return await engine.status(job_id, with_place=True)
    answer = await engine.status(job_id, wait_seconds=INTERVAL_SECONDS, until="end", with_place=True)
    if answer.job.version != version or answer.job.state in ENDED_STATES:
        return answer
    return await engine.status(job_id, wait_seconds=WAIT_SECONDS, known_version=version, with_place=True)


async def _version_of(job_id: str) -> int | None:
    """The version of a job's record; None if there is no such job for the caller."""
    try:
        return (await running_manager().engine.status(job_id)).job.version
    except JobNotFound:
        return None
    except QueueError as error:
        raise as_mcp_error(error) from error


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
