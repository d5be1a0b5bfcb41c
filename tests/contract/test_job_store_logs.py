"""What every store promises of logs: they grow over attempts, come in pages, stay bounded, and go with their job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import Changes, Delete, EndingKind, Report
from mcp_queue_plugin.model.queries import LogEntry, LogQuery, Stream
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import NOTHING_WRITTEN, ManualClock, applied, claim, finish, run_new, unchanged

LIMIT = 1024


@dataclass
class Writer:
    """A running job, and what it writes."""

    store: JobStore
    job: Job

    async def write(self, *written: tuple[Stream, bytes], continues: bool = False) -> None:
        pieces = tuple(LogPiece(stream, 1.0, data, continues) for stream, data in written)
        await self.store.apply([Report(token=self.job.token, changes=Changes(), log=pieces)])

    async def lines(self, query: LogQuery | None = None) -> list[str]:
        page = await self.store.log_page(self.job.uid, query or LogQuery())
        return [entry.line for entry in page.entries]


@pytest.fixture
async def writer(store: JobStore) -> Writer:
    return Writer(store, await run_new(store, "a"))


@pytest.fixture(params=["memory", "sqlite"])
async def bounded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Writer]:
    """A writer to a store that keeps very little."""
    store: JobStore = MemoryStore(ManualClock(), log_bytes=LIMIT)
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "jobs.db", durability="normal", clock=ManualClock(), log_bytes=LIMIT)
    await store.open()
    yield Writer(store, await run_new(store, "a"))
    await store.close()


async def test_a_log_grows_over_reports_ends_and_attempts(store: JobStore) -> None:
    first = await run_new(store, "a")
    log = (LogPiece("stdout", 1.5, b"one\ntw"), LogPiece("stderr", 1.5, b"\xff\x00"))
    await applied(store, Report(token=first.token, changes=Changes(progress=1), log=log))
    rest = (LogPiece("stdout", 2.0, b"o", continues=True),)
    await applied(store, finish(first.token, EndingKind.CRASHED, log=rest))
    (second,) = await claim(store)
    await applied(store, finish(second.token, log=(LogPiece("stdout", 3.0, b"again"),)))
    page = await store.log_page(first.uid, LogQuery())
    assert page.entries == (
        LogEntry("stdout", 1.5, "one"),
        LogEntry("stdout", 1.5, "two"),
        LogEntry("stderr", 1.5, "\ufffd\x00"),
        LogEntry("stdout", 3.0, "again"),
    )
    assert (page.stdout_lines, page.stderr_lines, page.dropped_lines) == (3, 1, 0)
    assert page.next_cursor == page.end_cursor == len(b"one\ntw\xff\x00oagain")


async def test_a_log_grows_although_the_record_stays_as_it_is(writer: Writer) -> None:
    report = Report(token=writer.job.token, changes=Changes(), log=(LogPiece("stdout", 1.0, b"line\n"),))
    assert await unchanged(writer.store, report) == writer.job
    assert await writer.lines() == ["line"]


async def test_a_stale_token_writes_no_log(writer: Writer) -> None:
    await applied(writer.store, finish(writer.job.token))
    await writer.write(("stdout", b"late"))
    assert await writer.store.log_page(writer.job.uid, LogQuery()) == NOTHING_WRITTEN


async def test_logs_are_kept_apart_and_go_with_their_job(store: JobStore) -> None:
    first, second = await run_new(store, "a"), await run_new(store, "b")
    for job in (first, second):
        await applied(store, finish(job.token, log=(LogPiece("stdout", 1.0, job.job_id.encode()),)))
    await applied(store, Delete("a"))
    assert await store.log_page(first.uid, LogQuery()) == NOTHING_WRITTEN
    assert await Writer(store, second).lines() == ["b"]
    again = await run_new(store, "a")
    assert await store.log_page(again.uid, LogQuery()) == NOTHING_WRITTEN


@pytest.mark.parametrize("stream", [None, "stdout", "stderr"])
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_join_to_the_whole(writer: Writer, stream: Stream | None, limit: int) -> None:
    for number in range(10):
        await writer.write(("stdout", b"out %d\nand\n" % number), ("stderr", b"err %d\n" % number))
    whole = await writer.lines(LogQuery(stream=stream))
    assert len(whole) == {None: 30, "stdout": 20, "stderr": 10}[stream]
    lines: list[str] = []
    cursor = 0
    while True:
        query = LogQuery(stream=stream, cursor=cursor, limit=limit)
        page = await writer.store.log_page(writer.job.uid, query)
        if not page.entries:
            break
        lines += [entry.line for entry in page.entries]
        cursor = page.next_cursor
    assert lines == whole
    assert cursor == page.end_cursor
    assert await writer.lines(LogQuery(stream=stream, limit=limit, tail=True)) == whole[-limit:]


async def test_a_cursor_of_one_stream_is_good_for_the_other(writer: Writer) -> None:
    await writer.write(("stdout", b"1\n"), ("stderr", b"2\n"))
    page = await writer.store.log_page(writer.job.uid, LogQuery(stream="stdout"))
    await writer.write(("stderr", b"3\n"), ("stdout", b"4\n"))
    assert await writer.lines(LogQuery(stream="stderr", cursor=page.next_cursor)) == ["3"]
    assert await writer.lines(LogQuery(cursor=page.next_cursor)) == ["3", "4"]


async def test_who_follows_sees_an_open_line_grow(writer: Writer) -> None:
    await writer.write(("stdout", b"load"))
    page = await writer.store.log_page(writer.job.uid, LogQuery())
    assert page.entries == (LogEntry("stdout", 1.0, "load"),)
    await writer.write(("stdout", b"ing\nnext\n"), continues=True)
    page = await writer.store.log_page(writer.job.uid, LogQuery(cursor=page.next_cursor))
    assert page.entries == (LogEntry("stdout", 1.0, "ing", continues=True), LogEntry("stdout", 1.0, "next"))
    assert await writer.lines() == ["loading", "next"]


async def test_the_oldest_lines_beyond_the_limit_are_dropped_and_counted(bounded: Writer) -> None:
    first = await bounded.store.log_page(bounded.job.uid, LogQuery())
    for number in range(0, 300, 3):
        lines = [b"line %d\n" % (number + more) for more in range(3)]
        await bounded.write(("stdout", lines[0] + lines[1]), ("stderr", lines[2]))
    page = await bounded.store.log_page(bounded.job.uid, LogQuery(cursor=first.next_cursor))
    assert [entry.line for entry in page.entries] == [f"line {number}" for number in range(page.dropped_lines, 300)]
    assert (page.stdout_lines, page.stderr_lines) == (200, 100)
    assert LIMIT * 15 // 16 < sum(len(entry.line) + 1 for entry in page.entries) <= LIMIT


async def test_the_limit_holds_over_all_attempts(bounded: Writer) -> None:
    await bounded.write(("stdout", b"x\n" * 400))
    await applied(bounded.store, finish(bounded.job.token, EndingKind.CRASHED))
    (again,) = await claim(bounded.store)
    await applied(bounded.store, finish(again.token, log=(LogPiece("stderr", 2.0, b"y\n" * 400),)))
    page = await bounded.store.log_page(again.uid, LogQuery())
    assert (page.stdout_lines, page.stderr_lines) == (400, 400)
    assert len(page.entries) == 800 - page.dropped_lines <= LIMIT // 2
    assert sum(entry.stream == "stderr" for entry in page.entries) == 400


async def test_what_is_too_much_at_once_leaves_its_end(bounded: Writer) -> None:
    await bounded.write(("stdout", b"first\n" + b"x" * 100_000), ("stdout", b"y\n" * 10_000))
    page = await bounded.store.log_page(bounded.job.uid, LogQuery(limit=10_000))
    assert {entry.line for entry in page.entries} == {"y"}
    assert page.dropped_lines + len(page.entries) == page.stdout_lines == 10_002


async def test_one_jobs_log_takes_nothing_from_anothers(bounded: Writer) -> None:
    other = Writer(bounded.store, await run_new(bounded.store, "b"))
    await other.write(("stdout", b"kept\n"))
    await bounded.write(("stdout", b"x\n" * 10_000))
    assert await other.lines() == ["kept"]
