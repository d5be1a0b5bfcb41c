"""The values of the engine's surface: what it is built from, what it answers, what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import Counts
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.pool import WorkerStatistics
from mcp_queue_plugin.workers.protocol import Ready


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is built from. ``path`` is the store's file; a ``temporary`` one goes with the engine."""

    path: str
    durability: Literal["full", "normal"]
    temporary: bool
    log_bytes: int
    max_concurrent_jobs: int
    min_workers: int
    start_timeout_seconds: float


class Answer(NamedTuple):
    """A job's record, the result document where it was read, and whether a wait ended before its reason came."""

    job: Job
    result: bytes | None = None
    timed_out: bool = False


class EngineHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows of itself. ``issues`` are sentences; empty when all is well."""

    capabilities: Capabilities
    counts: Counts
    workers: WorkerStatistics
    max_concurrent_jobs: int
    waiting_calls: int
    oldest_queued_at: float | None
    issues: tuple[str, ...]


Reply = Callable[[Answer | QueueError], None]


class EngineEvents(Protocol):
    """What the engine tells its host; all called on the loop."""

    def on_ended(self, job: Job) -> None:
        """A job has ended, committed."""
        ...

    def on_stop_adopted(self, job: Job) -> None:
        """A job that runs in the server's own process was asked to stop."""
        ...

    def on_ready(self, ready: Ready) -> None:
        """The first worker of a generation is ready."""
        ...
