"""The values of the engine's surface: what it is built from, what it answers, what it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import Counts, JobPage
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.protocol import Ready
from mcp_queue_plugin.workers.statistics import WorkerStatistics


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is built from. ``path`` is the store's file; a ``temporary`` one goes with the engine."""

    path: str
    durability: Literal["full", "normal"]
    temporary: bool
    log_bytes: int
    max_concurrent_jobs: int
    workers: WorkerRules
    queues: dict[str, QueueRule] = {}
    """The rules of every queue that jobs may name."""
    limits: LimitRules = LimitRules()
    retention_seconds: float = 0.0
    """How long finished jobs are kept; 0 for ever."""
    tombstone_seconds: float = 3600.0
    withheld_variables: tuple[str, ...] = ()
    """The environment variables that the engine and its workers do not inherit, by name or pattern."""


class Answer(NamedTuple):
    """A job's record, the result document where it was read, and whether a wait ended before its reason came.

    ``place`` is where a pending job stands, if that was asked for.
    """

    job: Job
    result: bytes | None = None
    timed_out: bool = False
    place: Place | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, with the places of the pending ones by uid, if they were asked for."""

    page: JobPage
    places: dict[int, Place] = {}


class QueueReport(msgspec.Struct, frozen=True, kw_only=True):
    """One named queue in numbers. ``estimated_wait_seconds`` is what a job that is added now would have to wait."""

    name: str
    pending: int
    running: int
    paused: bool
    max_size: int | None
    max_concurrent_jobs: int | None
    processed_total: int
    failed_total: int
    consecutive_failures: int
    avg_job_duration_seconds: float
    estimated_wait_seconds: float
    opens_in_seconds: float
    worker_running: bool
    """Whether workers are there for its jobs, or can be started."""


class EngineHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine knows of itself. ``issues`` are sentences; empty when all is well.

    ``jobs_ready`` says that jobs wait for nothing but a worker.
    """

    capabilities: Capabilities
    counts: Counts
    workers: WorkerStatistics
    max_concurrent_jobs: int
    queues: tuple[QueueReport, ...]
    waiting_calls: int
    oldest_queued_at: float | None
    jobs_ready: bool
    now: float
    """The time of the engine's clock, which its other times are told in."""
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
