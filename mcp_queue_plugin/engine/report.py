"""The queues in numbers."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_queue_plugin.engine.lanes import Lane, Lanes
from mcp_queue_plugin.engine.values import QueueReport
from mcp_queue_plugin.model.estimate import estimated_wait_seconds
from mcp_queue_plugin.model.queues import QueueFigures, QueueState


def queue_reports(
    lanes: Lanes, figures: Mapping[str, QueueFigures], now: float, *, workers: bool
) -> tuple[QueueReport, ...]:
    """A report on each queue at ``now``; ``workers`` says whether there are workers, or can be."""
    return tuple(
        _report(lanes, lane, figures.get(lane.state.name, QueueFigures(state=lane.state)), now, workers)
        for lane in lanes
    )


def _report(lanes: Lanes, lane: Lane, figures: QueueFigures, now: float, workers: bool) -> QueueReport:
    state: QueueState = lane.state
    outlook = lanes.outlook(state.name, now)
    return QueueReport(
        name=state.name,
        pending=figures.pending,
        running=figures.running,
        paused=state.paused,
        max_size=lane.rule.max_queue_size,
        max_concurrent_jobs=lane.rule.max_concurrent_jobs,
        processed_total=state.processed_total,
        failed_total=state.failed_total,
        consecutive_failures=state.consecutive_failures,
        avg_job_duration_seconds=round(state.average_seconds, 3),
        estimated_wait_seconds=estimated_wait_seconds(figures.pending + 1, outlook),
        opens_in_seconds=round(outlook.opens_in_seconds, 3),
        worker_running=workers,
    )
