"""The health report: the adapter's documented keys, and what this queue can say beyond them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from mcp_queue_plugin.adapter.callers import AccessMode
from mcp_queue_plugin.engine.values import EngineHealth
from mcp_queue_plugin.model.states import PENDING_STATES, RUNNING_STATES, State
from mcp_queue_plugin.settings import Settings
from mcp_queue_plugin.workers.statistics import WorkerFacts

STARVED_AFTER_SECONDS = 30.0

# The adapter's GET /health degrades on this marker alone.
STARVED_MARKER = "pending_backlog_with_zero_running_workers"


def health_report(
    health: EngineHealth, settings: Settings, *, access: AccessMode = "one_owner", sees_all: bool = True
) -> dict[str, Any]:
    """The report as a JSON object; ``status`` is ``healthy`` or ``degraded``, ``issues`` says why.

    Only who ``sees_all`` is told which jobs the workers run.
    """
    if not sees_all:
        health = _without_jobs(health)
    counts = health.counts
    waiting = None if health.oldest_queued_at is None else max(0.0, health.now - health.oldest_queued_at)
    issues = _issues(health, waiting)
    return {
        "status": "degraded" if issues else "healthy",
        "running": True,
        "total_jobs": counts.of(*(state for state in State if state is not State.DELETED)),
        "pending_jobs": counts.of(*PENDING_STATES),
        "pending_unstarted_jobs": counts.of(State.CREATED),
        "running_jobs": counts.of(*RUNNING_STATES),
        "completed_jobs": counts.of(State.COMPLETED),
        "failed_jobs": counts.of(State.FAILED),
        "stopped_jobs": counts.of(State.STOPPED),
        "registry_path": health.capabilities.path,
        "max_concurrent_jobs": health.max_concurrent_jobs,
        "max_retained_terminal_jobs": settings.queue_manager.max_retained_terminal_jobs,
        "backend": health.capabilities.backend,
        "durable": health.capabilities.durable,
        "durability": settings.queue_plugin.durability if health.capabilities.durable else "none",
        "workers": msgspec.to_builtins(health.workers),
        "access": access,
        "queues": {queue.name: msgspec.to_builtins(queue) for queue in health.queues},
        "waiting_calls": health.waiting_calls,
        "oldest_pending_seconds": waiting,
        "issues": issues,
    }


def _without_jobs(health: EngineHealth) -> EngineHealth:
    workers = health.workers
    processes = tuple(replace(worker, job_id=None) for worker in workers.processes)
    return replace(health, workers=replace(workers, processes=processes))


def _issues(health: EngineHealth, waiting_seconds: float | None) -> list[str]:
    """The issues there are, and if anything is wrong one more with the marker, which says what is so."""
    issues = [*health.issues, *map(_frozen, (worker for worker in health.workers.processes if worker.frozen))]
    queued, running = health.counts.of(State.QUEUED), health.counts.of(*RUNNING_STATES)
    if health.jobs_ready and not running and waiting_seconds is not None and waiting_seconds > STARVED_AFTER_SECONDS:
        marked = f"{STARVED_MARKER}: none runs of {queued} queued; the oldest waits for {waiting_seconds:.0f} s"
    elif issues:
        marked = f"{STARVED_MARKER} (queue degraded): {'; '.join(issues)}; {queued} queued, {running} running"
    else:
        return []
    return [*issues, marked]


def _frozen(worker: WorkerFacts) -> str:
    doing = f"{worker.state}, with job {worker.job_id}" if worker.job_id is not None else worker.state
    return f"the worker with pid {worker.pid} ({doing}) is frozen: stopped by a signal, or stuck in I/O"
