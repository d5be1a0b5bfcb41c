"""Keeps the heads of the queues known, so that a worker that becomes free need not wait for the store."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sized

from mcp_queue_plugin.engine.lanes import Lanes
from mcp_queue_plugin.engine.tasks import spawn
from mcp_queue_plugin.errors import StoreUnavailable

READ_RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class ReadAhead:
    """Reads on in every queue of which too little is known, one read at a time."""

    def __init__(self, lanes: Lanes, claims: Sized, on_read: Callable[[], None]) -> None:
        """Call ``on_read`` after each read, or when another may be tried; ``claims`` are those under way."""
        self._lanes = lanes
        self._claims = claims
        self._on_read = on_read
        self._reading: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Read on, unless that is under way."""
        if self._reading is None or self._reading.done():
            self._reading = spawn(self._read(), name="read ahead")

    async def _read(self) -> None:
        try:
            for lane in self._lanes.may_start(time.monotonic()):
                if lane.waiting.wants_more or lane.waiting.runs_low:
                    await lane.waiting.read(len(self._claims))
        except StoreUnavailable as error:
            logger.error("The queue cannot be read, which is tried again: %s", error)
            asyncio.get_running_loop().call_later(READ_RETRY_SECONDS, self._on_read)
            return
        # On the next turn, when this read is over and another may begin.
        asyncio.get_running_loop().call_soon(self._on_read)
