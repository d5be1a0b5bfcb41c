"""Progress and log of running attempts, gathered into few commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from mcp_queue_plugin.engine.reports import BACKLOG_BYTES, FLUSH_BYTES, Reports
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.log_pieces import LogChunk, LogPiece
from mcp_queue_plugin.model.operations import Changes, OutcomeCallback, Refusal, Refused, Report, merged
from tests.unit.workers.harness import until

FIRST, SECOND = Token(1, 1), Token(2, 1)


class Gathering:
    """Reports, and what they handed on."""

    def __init__(self) -> None:
        self.submitted: list[Report] = []
        self.callbacks: list[OutcomeCallback] = []
        self.held: list[tuple[Token, bool]] = []
        self.reports = Reports(self._submit, lambda token, held: self.held.append((token, held)))

    def _submit(self, report: Report, callback: OutcomeCallback | None) -> None:
        self.submitted.append(report)
        if callback is not None:
            self.callbacks.append(callback)

    def store_one(self) -> None:
        """Let the store take the oldest of what was handed on."""
        self.callbacks.pop(0)(Refused(Refusal.STALE_TOKEN))

    def has(self, count: int) -> bool:
        return len(self.submitted) == count


@pytest.fixture
async def gathering() -> AsyncIterator[Gathering]:
    gathering = Gathering()
    yield gathering
    gathering.reports.flush()


def chunk(text: str, at: float = 1.0) -> LogChunk:
    return LogChunk("stdout", at, text.encode())


async def test_a_chatty_attempt_costs_one_report_with_the_newest_values(gathering: Gathering) -> None:
    for progress in range(100):
        gathering.reports.add_changes(FIRST, Changes(progress=progress))
        gathering.reports.add_log(FIRST, chunk(f"line {progress}\n"))
    gathering.reports.add_changes(FIRST, Changes(description="said"))
    assert not gathering.submitted
    await until(lambda: gathering.submitted)
    (report,) = gathering.submitted
    assert (report.token, report.changes) == (FIRST, Changes(progress=99, description="said"))
    assert b"".join(part.data for part in report.log).count(b"\n") == 100


async def test_attempts_are_kept_apart(gathering: Gathering) -> None:
    gathering.reports.add_changes(FIRST, Changes(progress=1))
    gathering.reports.add_changes(SECOND, Changes(progress=2))
    gathering.reports.flush()
    assert gathering.submitted == [
        Report(token=FIRST, changes=Changes(progress=1)),
        Report(token=SECOND, changes=Changes(progress=2)),
    ]


async def test_what_has_been_taken_or_flushed_comes_once(gathering: Gathering) -> None:
    gathering.reports.add_changes(FIRST, Changes(step="one"))
    gathering.reports.add_log(FIRST, chunk("text"))
    assert gathering.reports.end(FIRST) == (Changes(step="one"), (LogPiece("stdout", 1.0, b"text"),))
    assert gathering.reports.end(FIRST) == (Changes(), ())
    gathering.reports.flush()
    assert not gathering.submitted
    gathering.reports.add_log(SECOND, chunk("more"))
    gathering.reports.flush()
    gathering.reports.flush()
    assert gathering.submitted == [Report(token=SECOND, changes=Changes(), log=(LogPiece("stdout", 1.0, b"more"),))]


async def test_a_line_goes_on_after_a_flush_until_its_attempt_ends(gathering: Gathering) -> None:
    gathering.reports.add_log(FIRST, chunk("be"))
    await until(lambda: gathering.submitted)
    gathering.reports.add_log(FIRST, chunk("gun"))
    assert gathering.reports.end(FIRST) == (Changes(), (LogPiece("stdout", 1.0, b"gun", continues=True),))
    gathering.reports.add_log(FIRST, chunk("anew"))
    assert gathering.reports.end(FIRST) == (Changes(), (LogPiece("stdout", 1.0, b"anew"),))


async def test_half_a_character_is_no_report(gathering: Gathering) -> None:
    half = LogChunk("stdout", 1.0, "ä".encode()[:1])
    gathering.reports.add_log(FIRST, half)
    gathering.reports.flush()
    assert not gathering.submitted
    assert gathering.reports.end(FIRST) == (Changes(), (LogPiece("stdout", 1.0, half.data),))


async def test_a_large_log_does_not_wait_for_the_time(gathering: Gathering) -> None:
    half = "x" * (FLUSH_BYTES // 2)
    gathering.reports.add_log(FIRST, chunk(half))
    assert not gathering.submitted
    gathering.reports.add_log(FIRST, chunk(half))
    (report,) = gathering.submitted
    assert sum(len(piece.data) for piece in report.log) == FLUSH_BYTES


async def test_a_large_log_does_not_take_the_progress_along(gathering: Gathering) -> None:
    gathering.reports.add_changes(FIRST, Changes(progress=1))
    for _ in range(3):
        gathering.reports.add_log(FIRST, chunk("x" * FLUSH_BYTES))
    gathering.reports.add_changes(FIRST, Changes(progress=2))
    assert [report.changes for report in gathering.submitted] == [Changes()] * 3
    gathering.reports.flush()
    assert gathering.submitted[3:] == [Report(token=FIRST, changes=Changes(progress=2))]


async def test_reports_go_on_after_a_flush(gathering: Gathering) -> None:
    for count in range(1, 4):
        gathering.reports.add_changes(FIRST, Changes(progress=count))
        await until(partial(gathering.has, count))
        gathering.store_one()
    assert [report.changes.progress for report in gathering.submitted] == [1, 2, 3]


async def test_a_store_that_fails_is_owed_one_report_for_each_attempt_however_long_it_takes(
    gathering: Gathering,
) -> None:
    for progress in range(1, 6):
        for token in (FIRST, SECOND):
            gathering.reports.add_changes(token, Changes(progress=progress))
            gathering.reports.add_log(token, chunk(f"{progress}\n"))
        gathering.reports.flush()
    assert [report.changes.progress for report in gathering.submitted] == [1, 1]
    gathering.store_one()
    await until(partial(gathering.has, 3))
    assert gathering.submitted[2] == Report(
        token=FIRST, changes=Changes(progress=5), log=(LogPiece("stdout", 1.0, b"2\n3\n4\n5\n"),)
    )
    assert gathering.reports.end(SECOND)[0] == Changes(progress=5)
    gathering.store_one()


async def test_who_writes_faster_than_can_be_stored_has_to_wait(gathering: Gathering) -> None:
    for _ in range(BACKLOG_BYTES // FLUSH_BYTES - 1):
        gathering.reports.add_log(FIRST, chunk("x" * FLUSH_BYTES))
        gathering.reports.add_log(SECOND, chunk("x"))
    assert gathering.held == []
    gathering.reports.add_log(FIRST, chunk("x" * FLUSH_BYTES))
    gathering.reports.add_log(FIRST, chunk("x" * FLUSH_BYTES))
    assert gathering.held == [(FIRST, True)]
    gathering.store_one()
    assert gathering.held == [(FIRST, True)]
    gathering.store_one()
    gathering.store_one()
    assert gathering.held == [(FIRST, True), (FIRST, False)]


async def test_an_attempt_that_is_over_is_not_told_to_go_on(gathering: Gathering) -> None:
    gathering.reports.add_log(FIRST, chunk("x" * BACKLOG_BYTES))
    gathering.reports.end(FIRST)
    gathering.store_one()
    assert gathering.held == [(FIRST, True)]


async def test_nothing_gathered_sets_no_timer(gathering: Gathering) -> None:
    gathering.reports.flush()
    await asyncio.sleep(0)
    assert not gathering.submitted


def test_of_two_reports_the_newer_value_of_a_field_wins() -> None:
    older = Changes(progress=1, description="old", step="s")
    assert merged(older, Changes()) == older
    assert merged(Changes(), older) == older
    assert merged(older, Changes(progress=0, description="")) == Changes(progress=0, description="", step="s")
