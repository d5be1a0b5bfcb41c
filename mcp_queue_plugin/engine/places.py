"""Positions and expected waits of pending jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.engine.lanes import Lanes
from mcp_queue_plugin.model.estimate import Place, estimated_wait_seconds
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.states import PENDING_STATES
from mcp_queue_plugin.store.protocol import JobStore


class Places:
    """Tells where jobs stand, for those who ask."""

    def __init__(self, store: JobStore, lanes: Lanes, clock: Clock) -> None:
        """Count in ``store``; estimate by what ``lanes`` know."""
        self._store = store
        self._lanes = lanes
        self._clock = clock

    async def of(self, jobs: Sequence[Job]) -> Mapping[int, Place]:
        """The places of those of ``jobs`` that are pending, by uid.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        pending = [job for job in jobs if job.state in PENDING_STATES]
        if not pending:
            return {}
        positions, clock_now, now = await self._store.positions(pending), self._clock(), time.monotonic()
        outlooks = {queue: self._lanes.outlook(queue, now) for queue in {job.options.queue for job in pending}}
        return {
            job.uid: Place(
                position=positions[job.uid],
                estimated_wait_seconds=estimated_wait_seconds(
                    positions[job.uid], outlooks[job.options.queue], (job.not_before or clock_now) - clock_now
                ),
                is_paused=outlooks[job.options.queue].is_paused,
            )
            for job in pending
        }
