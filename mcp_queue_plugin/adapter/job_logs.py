"""A whole log in the adapter's shape, read page by page."""

from __future__ import annotations

from typing import Any

from mcp_queue_plugin.adapter.results import split_streams
from mcp_queue_plugin.engine.client import EngineClient
from mcp_queue_plugin.model.queries import LogQuery

_ALL_LINES = 1_000_000_000


async def whole_log(engine: EngineClient, job_id: str) -> dict[str, Any]:
    """All lines that are kept of a job's log, and how many it has written.

    Raises:
        JobNotFound: there is no such job.

    """
    pages = [await engine.log(job_id, LogQuery(limit=_ALL_LINES))]
    # To the end as it is now: a job that goes on writing is not run after.
    while pages[-1].next_cursor < pages[0].end_cursor:
        pages.append(await engine.log(job_id, LogQuery(limit=_ALL_LINES, cursor=pages[-1].next_cursor)))
    return {"job_id": job_id, **split_streams(*pages)}
