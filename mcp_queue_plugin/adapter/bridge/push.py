"""The adapter's internals around its push: who is subscribed to which job, and what a subscriber is sent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto

from fastapi import FastAPI
from mcp_proxy_adapter.core.job_push import lifespan_wiring, notifier, queue_custom_push
from mcp_proxy_adapter.core.job_push.caller_loss import cancel_reason_for, note_cancel_reason
from mcp_proxy_adapter.core.job_push.engine import JobPushEngine
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult, QueueJobStatus

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.bridge.job_messages import end_mapping, forget_others_mapping
from mcp_queue_plugin.adapter.bridge.subscriptions import COMMAND_SESSION, OF_JOBS, QUEUE_JOB, Subscriptions
from mcp_queue_plugin.model.job import Job

STEP_SECONDS = queue_custom_push._JOB_PROCESSING_STEP_MIN_INTERVAL_SEC
"""The adapter sends the subscribers of a queue job one step in so many seconds, and forgets those between."""


class Delivery(Enum):
    """What became of a job's new state."""

    SENT = auto()
    PACED = auto()
    """It was a step for subscribers of the queue job, who get no other in the next ``STEP_SECONDS``."""
    HELD_BACK = auto()
    """It would be such a step, but comes too soon after another."""
    LAST = auto()
    """The job has ended, and everybody knows."""
    FAILED = auto()
    """The job has ended, and a subscriber could not be told."""


_TERMINAL = frozenset({QueueJobStatus.COMPLETED, QueueJobStatus.FAILED, QueueJobStatus.STOPPED})


class PushEngine(JobPushEngine):
    """The adapter's engine, which looks at every subscribed job ten times a second, told of changes instead."""

    def __init__(self, app: FastAPI) -> None:
        """Serve the subscribers of ``app``."""
        super().__init__(app)
        self._subscriptions: Subscriptions = app.state.job_push_registry
        self._subscriptions.engine = self

    @abstractmethod
    def follow(self, job_id: str) -> None:
        """Deliver every change of a job, from how it stands now to its end, as long as it has an audience."""

    @abstractmethod
    def between_deliveries(self, job_id: str) -> AbstractAsyncContextManager[object]:
        """A context in which nothing is delivered of a job."""

    @abstractmethod
    async def serve(self) -> None:
        """Follow jobs until this is cancelled."""

    def watch(self, job_id: str) -> None:
        """Follow a job without subscribers too: somebody may ask for its last event."""
        super().watch(job_id)
        self.follow(job_id)

    def has_audience(self, job_id: str) -> bool:
        """Whether a job's changes are of interest to anybody."""
        return job_id in self.extra_watch or any(self._subscriptions.has(job_id, category) for category in OF_JOBS)

    async def deliver(self, job_id: str, job: QueueJobResult, record: Job) -> Delivery:
        """Send a job's new state to its subscribers, those for whom the job exists.

        When a job has ended, the subscriptions of all who have heard end too: whoever subscribes later is told anew.
        """
        self._subscriptions.end_for_others(job_id, record.owner)
        forget_others_mapping(self.app, record)
        audience = (self._subscriptions.has(job_id, QUEUE_JOB), self._subscriptions.has(job_id, COMMAND_SESSION))
        if job.status not in _TERMINAL:
            return await self._deliver_step(job_id, job, *audience)
        reason = record.reason
        if reason and cancel_reason_for(job_id) is None:
            note_cancel_reason(job_id, reason)
        await self._deliver_terminal(job_id, job, *audience)
        if job_id not in self.delivered:
            return Delivery.FAILED
        self._subscriptions.end(job_id)
        end_mapping(self.app, job_id)
        self.forget(job_id)
        return Delivery.LAST

    async def _deliver_step(self, job_id: str, job: QueueJobResult, has_queue_job: bool, has_session: bool) -> Delivery:
        sent_before = self.queue_job_progress_notified.get(job_id)
        await self._deliver_progress(job_id, job, has_queue_job, has_session)
        sent = self.queue_job_progress_notified.get(job_id)
        says = (job.progress, job.description, job.step)
        if has_queue_job and any(says) and sent != says:
            # The adapter counts it as told all the same.
            self.last_progress_sig.pop(job_id, None)
            return Delivery.HELD_BACK
        return Delivery.PACED if sent != sent_before else Delivery.SENT

    def forget(self, job_id: str) -> None:
        """Forget what subscribers of a job were sent, which the adapter remembers for ever."""
        self.delivered.discard(job_id)
        for memory in (
            self.last_status,
            self.last_progress_sig,
            self.queue_job_notified,
            self.queue_job_progress_notified,
            notifier._sent_terminal_queue,
            queue_custom_push._job_processing_step_last_mono,
        ):
            memory.pop(job_id, None)


def replace_push(engine: type[PushEngine]) -> None:
    """Let the adapter's start-up build ``engine``, and the registry that tells it of subscriptions."""

    async def serve(app: FastAPI) -> None:
        await app.state.job_push_engine.serve()

    replacements: dict[str, type | Callable[[FastAPI], Awaitable[None]]] = {
        "SubscriberRegistry": Subscriptions,
        "JobPushEngine": engine,
        "_job_push_poll_loop": serve,
    }
    for name, value in replacements.items():
        server.replace(lifespan_wiring, name, value)
