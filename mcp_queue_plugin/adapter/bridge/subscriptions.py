"""Who of the adapter's WebSocket clients is subscribed to which job, and for whom that job exists."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mcp_proxy_adapter.core.job_push.subscriptions import Subscriber, SubscriberRegistry, SubscriptionCategory

from mcp_queue_plugin.adapter.callers import viewer
from mcp_queue_plugin.model.job import is_job_id

QUEUE_JOB, COMMAND_SESSION = SubscriptionCategory.QUEUE_JOB, SubscriptionCategory.COMMAND_SESSION
OF_JOBS = (QUEUE_JOB, COMMAND_SESSION)

SUBSCRIPTIONS_MAX = 2000
"""How much one connection may be subscribed to."""


class Following(Protocol):
    """What delivers the changes of jobs."""

    def follow(self, job_id: str) -> None:
        """Deliver every change of a job."""
        ...

    def between_deliveries(self, job_id: str) -> AbstractAsyncContextManager[object]:
        """A context in which nothing is delivered of a job."""
        ...


class Subscriptions(SubscriberRegistry):
    """The adapter's registry; a subscription to a job makes the push engine follow it.

    Anybody may subscribe to any id, also one that there is not yet. As soon as it is known whose job it is, the
    subscriptions of those end for whom it does not exist.
    """

    engine: Following | None = None

    def __init__(self) -> None:
        """Begin with no subscriber."""
        super().__init__()
        self._viewers: dict[Subscriber, str | None] = {}
        """Whose jobs alone exist for each subscriber; None: all."""

    async def subscribe(self, key: str, category: SubscriptionCategory, subscriber: Subscriber) -> None:
        """Subscribe, but not in the middle of a delivery: it would be unclear whether that was heard."""
        job_id = str(key).strip()
        if self.engine is None or category not in OF_JOBS:
            await super().subscribe(key, category, subscriber)
            return
        if not is_job_id(job_id):
            # No job will ever have it.
            return
        self._viewers[subscriber] = viewer()
        async with self.engine.between_deliveries(job_id):
            await super().subscribe(job_id, category, subscriber)
        self.engine.follow(job_id)

    async def unsubscribe_all_for(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self._viewers.pop(subscriber, None)
        await super().unsubscribe_all_for(subscriber)

    def has(self, job_id: str, category: SubscriptionCategory) -> bool:
        """Whether anybody is subscribed to a job."""
        return bool(self._subscriptions.get((job_id, category)))

    def end_for_others(self, job_id: str, owner: str | None) -> None:
        """End the subscriptions of those for whom the job of ``owner`` does not exist."""
        self._end(job_id, lambda subscriber: self._viewers.get(subscriber, "") not in (None, owner))

    def end(self, job_id: str) -> None:
        """End all subscriptions to a job that has ended: their subscribers know."""
        self._end(job_id, lambda _: True)

    def _end(self, job_id: str, concerned: Callable[[Subscriber], bool]) -> None:
        for category in OF_JOBS:
            subscribed = self._subscriptions.get((job_id, category), set())
            for subscriber in [each for each in subscribed if concerned(each)]:
                subscribed.discard(subscriber)
                of_subscriber = self._subscriber_index[subscriber]
                of_subscriber.discard((job_id, category))
                if not of_subscriber:
                    del self._subscriber_index[subscriber]
            if not subscribed:
                self._subscriptions.pop((job_id, category), None)
