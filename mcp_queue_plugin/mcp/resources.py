"""Resources: a job's record, its log and its result, at ``job://{job_id}``, ``job://{job_id}/logs`` and ``/result``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from mcp_types import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.adapter.results import description_text
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.mcp.answers import as_text
from mcp_queue_plugin.mcp.capabilities import RequestContext
from mcp_queue_plugin.mcp.failures import as_mcp_error, refuse, require_command
from mcp_queue_plugin.mcp.fitting import Run
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import JobQuery, LogPage, LogQuery

SCHEME = "job://"
PAGE_JOBS = 100
JSON = "application/json"

COMMAND_OF = {"": "queue_get_job_status", "logs": "queue_get_job_logs", "result": "queue_get_job_result"}
"""The command that tells the same to clients which read no resources, by what there is of a job."""

_TEMPLATES = (
    ("job", "", "A job's record: status, progress, error", JSON),
    ("job log", "/logs", "What a job has written, its last lines if it is long", "text/plain"),
    ("job result", "/result", "A job's result, whole", JSON),
)


class JobResources:
    """Answers the requests for resources."""

    def __init__(self, run: Run, most_bytes: int) -> None:
        """Read records with the queue's own commands, which ``run`` runs; show at most ``most_bytes`` of a log."""
        self._run = run
        self._most_bytes = most_bytes

    async def templates(self, _: RequestContext, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """What there is of each job."""
        return ListResourceTemplatesResult(
            resource_templates=[
                ResourceTemplate(name=name, uri_template=f"{SCHEME}{{job_id}}{part}", description=text, mime_type=kind)
                for name, part, text, kind in _TEMPLATES
            ]
        )

    async def list(self, _: RequestContext, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """The records of the caller's jobs, the newest first."""
        cursor = None if params is None else params.cursor
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
            refuse(f"{cursor!r} is not the nextCursor of a page")
        require_command("queue_list_jobs")
        try:
            query = JobQuery(after_uid=None if cursor is None else int(cursor), limit=PAGE_JOBS)
            page = (await running_manager().engine.list_jobs(query)).page
        except QueueError as error:
            raise as_mcp_error(error) from error
        following = None if page.next_uid is None else str(page.next_uid)
        return ListResourcesResult(resources=[_resource(job) for job in page.jobs], next_cursor=following)

    async def read(self, _: RequestContext, params: ReadResourceRequestParams) -> ReadResourceResult:
        """One of them.

        Raises:
            MCPError: there is no such job, or nothing of that name of a job.
        """
        job_id, part = parsed(params.uri)
        require_command(COMMAND_OF[part])
        try:
            text, kind = await self._contents(job_id, part)
        except QueueError as error:
            raise as_mcp_error(error) from error
        return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, text=text, mime_type=kind)])

    async def _contents(self, job_id: str, part: str) -> tuple[str, str]:
        engine = running_manager().engine
        if part == "logs":
            return log_tail(await engine.log(job_id, LogQuery(tail=True)), self._most_bytes), "text/plain"
        answer = await engine.status(job_id)
        if part == "result":
            return (answer.result or b"null").decode(), JSON
        envelope = await self._run(COMMAND_OF[part], {"job_id": job_id})
        return as_text(envelope.get("data")), JSON


def uri_of(job_id: str) -> str:
    """The URI of a job's record."""
    return SCHEME + quote(job_id, safe="")


def parsed(uri: str) -> tuple[str, str]:
    """The id of the job that a URI names, and what of it: nothing for its record, ``logs`` or ``result``.

    Raises:
        MCPError: it names nothing of a job.
    """
    if (named := part_of_job(uri)) is None:
        said = f"there is no resource {uri!r}: they are {SCHEME}JOB_ID, {SCHEME}JOB_ID/logs, {SCHEME}JOB_ID/result"
        refuse(said, data={"uri": uri})
    return named


def part_of_job(uri: str) -> tuple[str, str] | None:
    """The same, whether there is such a job or not; None if the URI names nothing of a job."""
    name, _, part = uri.removeprefix(SCHEME).partition("/")
    return (unquote(name), part) if uri.startswith(SCHEME) and name and part in COMMAND_OF else None


def log_tail(page: LogPage, most_bytes: int) -> str:
    """The last lines of a log in the order in which they were written; in the first line, what is not shown."""
    lines: list[str] = []
    room = most_bytes
    is_continued = False
    for entry in reversed(page.entries):
        room -= len(entry.line.encode()) + 1
        if room < 0:
            break
        if is_continued:
            lines[-1] = entry.line + lines[-1]
        else:
            lines.append(entry.line)
        is_continued = entry.continues
    earlier = page.stdout_lines + page.stderr_lines - len(lines)
    note = [f"[{earlier} earlier lines: read them with queue_get_job_logs]"] if earlier > 0 else []
    return "\n".join([*note, *reversed(lines)])


def _resource(job: Job) -> Resource:
    said: list[Any] = [job.status.value, f"{job.progress} %", description_text(job)]
    return Resource(
        name=job.job_id,
        title=job.command or job.job_type,
        uri=uri_of(job.job_id),
        description=", ".join(text for text in said if text),
        mime_type=JSON,
    )
