"""The reading half of a store: the same answers for the server that owns the file and for those who only look."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queries import Counts, JobPage, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.store.sqlite import listing, logs, rows
from mcp_queue_plugin.store.sqlite.counters import Counters
from mcp_queue_plugin.store.sqlite.live import Live
from mcp_queue_plugin.store.sqlite.looking import Look
from mcp_queue_plugin.store.sqlite.queries import SQL


class SqliteReading:
    """Answers from rows. All methods raise StoreUnavailable when the file cannot be read."""

    def __init__(self, look: Look) -> None:
        """Read through ``look``."""
        self._look = look

    async def get(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        found = self._look.fetch(SQL["last_job"], job_id)
        return rows.decode_job(found[0]) if found else None

    async def result(self, uid: int) -> bytes | None:
        """The result document of a job."""
        found = self._look.fetch(SQL["result"], uid)
        return bytes(found[0][0]) if found else None

    async def log_page(self, uid: int, query: LogQuery) -> LogPage:
        """One page of what a job wrote."""
        return logs.read_page(self._look, uid, query)

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of the jobs that match."""
        return listing.list_jobs(self._look, query)

    async def counts(self) -> Counts:
        """How many jobs stand in each state, without counting rows."""
        counters = Counters(self._look.fetch(SQL["read_counters"])[0])
        return Counts(by_state={state.value: count for state, count in counters.by_state.items() if count})

    def _read_live(self, recent_jobs: int = 0) -> Live:
        """What ``Live`` begins with, as it is committed."""
        return Live(
            self._look.fetch(SQL["tallies"]),
            [rows.decode_queue(row) for row in self._look.fetch(SQL["queues"])],
            counters=Counters(self._look.fetch(SQL["read_counters"])[0]),
            recent_jobs=recent_jobs,
        )
