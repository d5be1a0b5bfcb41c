"""``mcp-queue jobs``: a look at the jobs in the file itself, whether a server runs or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_queue_plugin.cli.configuration import config_option
from mcp_queue_plugin.cli.output import json_option, print_document, reported_errors
from mcp_queue_plugin.cli.stored import open_reader
from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.errors import JobNotFound
from mcp_queue_plugin.model.queries import STREAMS, JobPage, JobQuery, LogEntry, LogPage, LogQuery, Stream
from mcp_queue_plugin.model.states import Status

if TYPE_CHECKING:
    from mcp_queue_plugin.model.job import Job
    from mcp_queue_plugin.store.protocol import JobReader

PAGE_LINES = 10_000

_COLUMNS = ("JOB ID", "STATUS", "QUEUE", "COMMAND OR TYPE", "PROGRESS", "CREATED")


@click.group()
def jobs() -> None:
    """Look at jobs in the store, without a server and beside one."""


@jobs.command("list")
@config_option
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only jobs with this status.")
@click.option("--queue", help="Only jobs of this queue.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many jobs, newest first."
)
@click.option("--cursor", type=click.IntRange(0), help="next_cursor of the page before.")
@json_option
def list_jobs(
    config_path: Path, status: str | None, queue: str | None, limit: int, cursor: int | None, as_json: bool
) -> None:
    """List jobs, newest first; without --status deleted ones are left out."""
    query = JobQuery(
        status=None if status is None else Status(status), queue=queue, limit=limit, after_uid=cursor, order="newest"
    )
    with reported_errors(as_json=as_json), open_reader(config_path) as reader:
        page = asyncio.run(reader.list_jobs(query))
    if as_json:
        print_document(_listing(page))
    else:
        _print_table([_COLUMNS, *map(_cells, page.jobs)])
        click.echo(f"{len(page.jobs)} of {page.total_count}", err=True)


@jobs.command()
@click.argument("job_id")
@config_option
@json_option
def show(job_id: str, config_path: Path, as_json: bool) -> None:
    """Show the record of a job with its result, as queue_get_job_status answers it."""
    with reported_errors(as_json=as_json), open_reader(config_path) as reader:
        document = asyncio.run(_record(reader, job_id))
    if as_json:
        print_document(document)
    else:
        for key, value in document.items():
            click.echo(f"{key}: {_printable(value if isinstance(value, str) else json.dumps(value))}")


@jobs.command()
@click.argument("job_id")
@config_option
@click.option("--stream", type=click.Choice(STREAMS), help="Only this stream.")
@click.option("--tail", type=click.IntRange(1), help="Only the last so many lines.")
@json_option
def logs(job_id: str, config_path: Path, stream: Any, tail: int | None, as_json: bool) -> None:
    """Print what is kept of a job's log; lines of its standard error go to standard error."""
    query = LogQuery(stream=stream, limit=tail or PAGE_LINES, tail=tail is not None)
    with reported_errors(as_json=as_json), open_reader(config_path) as reader:
        pages = asyncio.run(_log(reader, job_id, query))
    if as_json:
        print_document(_log_document(job_id, pages))
        return
    for entry, goes_on in _with_line_ends([entry for page in pages for entry in page.entries]):
        click.echo(entry.line, nl=not goes_on, err=entry.stream == "stderr")


def _listing(page: JobPage) -> dict[str, Any]:
    # Imported here: it needs the adapter, which takes a second.
    from mcp_queue_plugin.commands.record import row

    return {
        "jobs": [row(job) for job in page.jobs],
        "total_count": page.total_count,
        "next_cursor": None if page.next_uid is None else str(page.next_uid),
    }


async def _record(reader: JobReader, job_id: str) -> dict[str, Any]:
    from mcp_queue_plugin.commands.record import record
    from mcp_queue_plugin.engine.values import Answer

    job = await _found(reader, job_id)
    return record(Answer(job, await reader.result(job.uid) if job.has_result else None))


async def _log(reader: JobReader, job_id: str, query: LogQuery) -> list[LogPage]:
    job = await _found(reader, job_id)
    return [page async for page in _pages(reader, job.uid, query)]


async def _pages(reader: JobReader, uid: int, query: LogQuery) -> AsyncIterator[LogPage]:
    """The page that is asked for, and unless it is a tail all behind it, as far as the log went then."""
    page = first = await reader.log_page(uid, query)
    yield page
    while not query.tail and page.next_cursor < first.end_cursor:
        page = await reader.log_page(uid, LogQuery(stream=query.stream, limit=PAGE_LINES, cursor=page.next_cursor))
        yield page


async def _found(reader: JobReader, job_id: str) -> Job:
    job = await reader.get(job_id)
    if job is None:
        raise JobNotFound(job_id, f"there is no job {job_id!r} in the store")
    return job


def _log_document(job_id: str, pages: Sequence[LogPage]) -> dict[str, Any]:
    from mcp_queue_plugin.commands.record import log_entry

    return {
        "job_id": job_id,
        "entries": [log_entry(entry) for page in pages for entry in page.entries],
        "stdout_lines": pages[-1].stdout_lines,
        "stderr_lines": pages[-1].stderr_lines,
        "dropped_lines": pages[-1].dropped_lines,
    }


def _with_line_ends(entries: Sequence[LogEntry]) -> list[tuple[LogEntry, bool]]:
    """Each entry, and whether a later one goes on with its line: a page may end inside a long line."""
    going_on: set[Stream] = set()
    found = []
    for entry in reversed(entries):
        found.append((entry, entry.stream in going_on))
        if entry.continues:
            going_on.add(entry.stream)
        else:
            going_on.discard(entry.stream)
    return found[::-1]


def _cells(job: Job) -> tuple[str, ...]:
    status = job.status.value if job.state.phase is None else f"{job.status.value} ({job.state.phase})"
    return (
        _printable(job.job_id),
        status,
        _printable(job.options.queue),
        _printable(job.command or job.job_type),
        f"{job.progress} %",
        iso8601(job.created_at) or "",
    )


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _printable(text: str) -> str:
    """``text`` on one line, and without what would steer the terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
