"""Who of the adapter's WebSocket clients is subscribed to which job, and for whom that job exists."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from mcp_proxy_adapter.core.job_push.subscriptions import Subscriber, SubscriberRegistry, SubscriptionCategory

from mcp_queue_plugin.adapter.callers import viewer

QUEUE_JOB, COMMAND_SESSION = SubscriptionCategory.QUEUE_JOB, SubscriptionCategory.COMMAND_SESSION
OF_JOBS = (QUEUE_JOB, COMMAND_SESSION)


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

    Anybody may subscribe to any id. For whom its job does not exist it is as if there were none.
    """

    engine: Following | None = None

    def __init__(self) -> None:
        """Begin with no subscriber."""
        super().__init__()
        self.owners: dict[str, str | None] = {}
        """The owners of the jobs that are followed."""
        self._viewers: dict[Subscriber, str | None] = {}
        """Whose jobs alone exist for each subscriber; None: all."""

    async def subscribe(self, key: str, category: SubscriptionCategory, subscriber: Subscriber) -> None:
        """Subscribe, but not in the middle of a delivery: it would be unclear whether that was heard."""
        job_id = str(key).strip()
        self._viewers[subscriber] = viewer()
        if self.engine is None or not job_id or category not in OF_JOBS:
            await super().subscribe(key, category, subscriber)
            return
        async with self.engine.between_deliveries(job_id):
            await super().subscribe(job_id, category, subscriber)
        self.engine.follow(job_id)

    async def unsubscribe_all_for(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self._viewers.pop(subscriber, None)
        await super().unsubscribe_all_for(subscriber)

    async def get_subscribers(self, key: str, category: SubscriptionCategory) -> list[Subscriber]:
        """To whom an event of the caller's goes: nobody, if the job it is about does not exist for the caller."""
        if category not in OF_JOBS:
            return await super().get_subscribers(key, category)
        job_id = str(key).strip()
        return self._audience(job_id, category) if self.may_tell(job_id) else []

    async def has_subscribers(self, key: str, category: SubscriptionCategory) -> bool:
        """Whether anybody is subscribed for whom the job exists."""
        return self.has(str(key).strip(), category)

    def has(self, job_id: str, category: SubscriptionCategory) -> bool:
        """Whether anybody is subscribed for whom the job exists, or may exist: whose it is may not be known yet."""
        if job_id not in self.owners:
            return bool(self._subscriptions.get((job_id, category)))
        return bool(self._audience(job_id, category))

    def may_tell(self, job_id: str) -> bool:
        """Whether the caller may say something about a job."""
        caller = viewer()
        return caller is None or self.owners.get(job_id) == caller

    def end(self, job_id: str) -> None:
        """End all subscriptions to a job that has ended: their subscribers know."""
        for category in OF_JOBS:
            for subscriber in self._audience(job_id, category):
                self._subscriptions[job_id, category].discard(subscriber)
                of_subscriber = self._subscriber_index[subscriber]
                of_subscriber.discard((job_id, category))
                if not of_subscriber:
                    del self._subscriber_index[subscriber]
            if not self._subscriptions.get((job_id, category)):
                self._subscriptions.pop((job_id, category), None)

    def _audience(self, job_id: str, category: SubscriptionCategory) -> list[Subscriber]:
        owner = self.owners.get(job_id)
        subscribed = self._subscriptions.get((job_id, category), ())
        return [each for each in subscribed if self._viewers.get(each) in (None, owner)]
