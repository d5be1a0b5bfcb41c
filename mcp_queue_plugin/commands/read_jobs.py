"""``queue_get_job_status``, ``queue_get_job_logs``, ``queue_list_jobs`` and ``queue_health``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.results import split_streams
from mcp_queue_plugin.commands.base import JOB_ID, READS, WAIT_SECONDS, QueueCommand, within_cap
from mcp_queue_plugin.commands.record import log_entry, record, row
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.option_values import NAME_MAX_LENGTH
from mcp_queue_plugin.model.queries import JobQuery, LogQuery
from mcp_queue_plugin.model.states import Status
from mcp_queue_plugin.model.text import storable

PAGE_MAX = 1000
LIST_DEFAULT = 100
NAME_FIELDS = ("queue", "job_type", "command")


class QueueGetJobStatusCommand(QueueCommand):
    """Read a job's record, now or at its next change."""

    name = "queue_get_job_status"
    mcp_annotations = READS
    descr = (
        "Get a job's record: status, progress, and its result once it has one. With wait_seconds the answer comes at "
        "the next change, or at once if the job's version is not known_version any more; with wait_for end, at the end"
    )
    properties: ClassVar[dict[str, Any]] = {
        "job_id": JOB_ID,
        "wait_seconds": WAIT_SECONDS,
        "known_version": {"type": "integer", "description": "The version of the record you know", "minimum": 0},
        "wait_for": {
            "type": "string",
            "description": "What to wait for: the next change (default), or only the job's end",
            "enum": ["change", "end"],
        },
    }
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the record; after a wait also whether it ended without a change."""
        wait_seconds = params.get("wait_seconds")
        if wait_seconds is None:
            return record(await manager.engine.status(params["job_id"], with_place=True))
        seconds, capped = within_cap(wait_seconds)
        with manager.waits.one():
            answer = await manager.engine.status(
                params["job_id"],
                wait_seconds=seconds,
                until=params.get("wait_for", "change"),
                known_version=params.get("known_version"),
                with_place=True,
            )
        return {**record(answer), "timed_out": answer.timed_out, **capped}


class QueueGetJobLogsCommand(QueueCommand):
    """Read what a job wrote."""

    name = "queue_get_job_logs"
    mcp_annotations = READS
    descr = (
        "Get a job's log lines, in pages or its tail. With next_cursor of one page as cursor of the next, no line is "
        "missed or repeated; an empty page means that there are no more as yet"
    )
    properties: ClassVar[dict[str, Any]] = {
        "job_id": JOB_ID,
        "stream": {"type": "string", "description": "Only this stream", "enum": ["stdout", "stderr"]},
        "cursor": {"type": "string", "description": "next_cursor of the page before"},
        "limit": {"type": "integer", "description": "At most so many lines", "minimum": 1, "maximum": PAGE_MAX},
        "tail": {"type": "boolean", "description": "The last lines instead of the first"},
        "wait_seconds": {
            **WAIT_SECONDS,
            "description": (
                "Wait up to so many seconds for lines of the stream behind the cursor, if there are none yet; cut as "
                "in queue_get_job_status"
            ),
        },
    }
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one page of lines."""
        query = LogQuery(
            stream=params.get("stream"),
            cursor=cursor_of(params) or 0,
            limit=params.get("limit", PAGE_MAX),
            tail=params.get("tail", False),
        )
        wait_seconds = params.get("wait_seconds")
        seconds, capped = (None, {}) if wait_seconds is None else within_cap(wait_seconds)
        with nullcontext() if seconds is None else manager.waits.one():
            page = await manager.engine.log(params["job_id"], query, wait_seconds=seconds)
        return {
            "job_id": params["job_id"],
            **split_streams(page),
            "entries": [log_entry(entry) for entry in page.entries],
            "next_cursor": str(page.next_cursor),
            "dropped_lines": page.dropped_lines,
            **capped,
        }


class QueueListJobsCommand(QueueCommand):
    """List jobs, without their results."""

    name = "queue_list_jobs"
    mcp_annotations = READS
    descr = "List jobs; without status_filter deleted ones are left out"
    properties: ClassVar[dict[str, Any]] = {
        "status_filter": {
            "type": "string",
            "description": "Only jobs with this status",
            "enum": [status.value for status in Status],
        },
        "limit": {"type": "integer", "description": "At most so many jobs", "minimum": 1, "maximum": PAGE_MAX},
        "queue": {
            "type": "string",
            "description": "Only jobs of this queue",
            "minLength": 1,
            "maxLength": NAME_MAX_LENGTH,
        },
        "job_type": {
            "type": "string",
            "description": "Only jobs of this type",
            "minLength": 1,
            "maxLength": NAME_MAX_LENGTH,
        },
        "command": {
            "type": "string",
            "description": "Only jobs of this command",
            "minLength": 1,
            "maxLength": NAME_MAX_LENGTH,
        },
        "cursor": {"type": "string", "description": "next_cursor of the page before"},
        "order": {"type": "string", "description": "Newest (default) or oldest first", "enum": ["newest", "oldest"]},
    }

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one page of rows, and how many jobs match in all."""
        status_filter, limit = params.get("status_filter"), params.get("limit", LIST_DEFAULT)
        listing = await manager.engine.list_jobs(
            JobQuery(
                status=None if status_filter is None else Status(status_filter),
                **_names(params),
                order=params.get("order", "newest"),
                after_uid=cursor_of(params),
                limit=limit,
            ),
            with_places=True,
        )
        page, places = listing.page, listing.places
        return {
            "jobs": [row(job, places.get(job.uid)) for job in page.jobs],
            "total_count": page.total_count,
            "status_filter": status_filter,
            "limit": limit,
            "next_cursor": None if page.next_uid is None else str(page.next_uid),
        }


class QueueHealthCommand(QueueCommand):
    """Say how the queue is."""

    name = "queue_health"
    mcp_annotations = READS
    descr = "Get the health of the queue: its counts, its workers, and what is wrong with it"

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer the health report."""
        return await manager.health()


def _names(params: dict[str, Any]) -> dict[str, str]:
    """The names to filter by; only what a record can keep can be one."""
    names = {field: params[field] for field in NAME_FIELDS if field in params}
    for field, name in names.items():
        if "\0" in name or storable(name, NAME_MAX_LENGTH) != name:
            raise InvalidParameters(
                f"{field} is not a Unicode text without NUL: {name!r}",
                field=field,
                violation="value",
                got=storable(name, NAME_MAX_LENGTH),
            )
    return names


def cursor_of(params: dict[str, Any]) -> int | None:
    """The position that the parameter ``cursor`` stands for; None if there is none.

    Raises:
        InvalidParameters: it is not one that a page has told.
    """
    text = params.get("cursor")
    if text is None:
        return None
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidParameters(
            f"cursor is not a next_cursor of a page: {text!r}",
            field="cursor",
            violation="value",
            got=storable(str(text), NAME_MAX_LENGTH),
        )
    return int(text)
