"""The adapter's memory of what was last said of each job, and for whom it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_proxy_adapter.core.job_push.job_status_accumulator import JobStatusAccumulator

from mcp_queue_plugin.adapter.bridge.subscriptions import Subscriptions
from mcp_queue_plugin.adapter.callers import viewer

Record = Callable[[str, dict[str, Any]], Awaitable[None]]

_SPARE_OWNERS = 64


class Snapshots(JobStatusAccumulator):
    """The adapter's memory of what was last said of each job, told only to those for whom that job exists."""

    subscriptions: Subscriptions | None = None

    def __init__(self, **options: Any) -> None:
        """Begin with an empty memory."""
        super().__init__(**options)
        self._owners: dict[str, str | None] = {}

    async def register(
        self, job_id: str | None = None, ws_id: str | None = None, ws_delivery_manager: Any = None
    ) -> dict[str, Any]:
        """Remember a job from now on. What is said of it goes to ``ws_id`` too, if the job exists for the caller."""
        if job_id is None or ws_id is None or viewer() is None or self._is_theirs(str(job_id).strip()):
            return await super().register(job_id, ws_id, ws_delivery_manager)
        await super().register(job_id)
        return {"registered": True, "job_id": str(job_id).strip() or None, "ws_id": str(ws_id).strip() or None}

    async def unregister(self, job_id: str | None = None, ws_id: str | None = None) -> None:
        """Forget a job that exists for the caller."""
        await super().unregister(job_id if self._is_theirs(str(job_id or "").strip()) else None, ws_id)

    async def record_queue_job(self, job_id: str, payload: dict[str, Any]) -> None:
        """Remember what was said of a job, if the caller may say it."""
        await self._record(str(job_id).strip(), payload, super().record_queue_job)

    async def record_command_session(self, job_id: str, payload: dict[str, Any]) -> None:
        """Remember what was said of a command."""
        await self._record(str(job_id).strip(), payload, super().record_command_session)

    async def get_snapshot(self, job_id: str | None = None, ws_id: str | None = None) -> Any:
        """What was last said of a job, if that exists for the caller."""
        theirs = job_id is None or self._is_theirs(str(job_id).strip())
        return await super().get_snapshot(job_id if theirs else None, ws_id)

    def _is_theirs(self, job_id: str) -> bool:
        caller = viewer()
        return caller is None or self._owners.get(job_id) == caller

    async def _record(self, job_id: str, payload: dict[str, Any], record: Record) -> None:
        owners = {} if self.subscriptions is None else self.subscriptions.owners
        caller = viewer()
        owner = owners.get(job_id, self._owners.get(job_id, caller))
        if caller is not None and owner != caller:
            return
        await record(job_id, payload)
        if _key(job_id) in self._snapshots:
            self._owners[job_id] = owner
            if len(self._owners) > 2 * len(self._snapshots) + _SPARE_OWNERS:
                # The adapter forgets snapshots without a word.
                self._owners = {name: owner for name, owner in self._owners.items() if _key(name) in self._snapshots}


def _key(job_id: str) -> str:
    return f"job:{job_id}"
