"""Pages of jobs: which rows match, and how many, without counting what a counter knows."""

from __future__ import annotations

from mcp_queue_plugin.model.queries import JobPage, JobQuery
from mcp_queue_plugin.store.sqlite import rows
from mcp_queue_plugin.store.sqlite.counters import Counters
from mcp_queue_plugin.store.sqlite.looking import Look
from mcp_queue_plugin.store.sqlite.queries import SQL

Conditions = dict[str, str | int]
"""SQL conditions with one placeholder each, and the values for them."""


def list_jobs(look: Look, query: JobQuery) -> JobPage:
    """One page of the jobs that match ``query``."""
    filters = _filters(query)
    matching = {**_status(query), **filters}
    total_count = _count(look, matching) if filters else _counters(look).total(query.status)

    rest = {**matching, **_cursor(query)}
    sql = SQL[f"list_{query.order}"].format(conditions=" AND ".join(rest))
    # One row more than asked for tells whether there is a next page.
    found = look.fetch(sql, *rest.values(), query.limit + 1)
    jobs = tuple(rows.decode_job(row) for row in found[: query.limit])
    return JobPage(jobs=jobs, total_count=total_count, next_uid=jobs[-1].uid if len(found) > len(jobs) else None)


def _status(query: JobQuery) -> Conditions:
    return {"status <> ?": "deleted"} if query.status is None else {"status = ?": query.status.value}


def _filters(query: JobQuery) -> Conditions:
    asked = {
        "queue = ?": query.queue,
        "job_type = ?": query.job_type,
        "command = ?": query.command,
        "owner = ?": query.owner,
    }
    return {condition: value for condition, value in asked.items() if value is not None}


def _cursor(query: JobQuery) -> Conditions:
    if query.after_uid is None:
        return {}
    return {"uid < ?" if query.order == "newest" else "uid > ?": query.after_uid}


def _count(look: Look, conditions: Conditions) -> int:
    sql = SQL["count_jobs"].format(conditions=" AND ".join(conditions))
    (row,) = look.fetch(sql, *conditions.values())
    return int(row[0])


def _counters(look: Look) -> Counters:
    return Counters(look.fetch(SQL["read_counters"])[0])
