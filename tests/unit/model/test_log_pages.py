"""From pieces to the lines that a client reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model import log_pages
from mcp_queue_plugin.model.log_lines import AttemptLog
from mcp_queue_plugin.model.log_pages import PAGE_BYTES
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery, Stream
from tests.unit.model.logs import Log, Part, chunks_of, joined, lines_of, pieces_of


def said(data: bytes, *, times: int) -> list[Part]:
    return [("stdout", data)] * times


def test_an_empty_log_has_no_lines() -> None:
    empty = LogPage(entries=(), next_cursor=0, end_cursor=0, stdout_lines=0, stderr_lines=0, dropped_lines=0)
    assert Log().page() == empty
    assert Log().page(LogQuery(tail=True, cursor=9)) == empty


def test_a_line_may_span_pieces_and_has_the_time_of_its_beginning() -> None:
    page = Log(("stdout", b"a\nb"), ("stdout", b"c"), ("stdout", b"d\ne\n")).page()
    assert page.entries == (
        LogEntry("stdout", 0.0, "a"),
        LogEntry("stdout", 0.0, "bcd"),
        LogEntry("stdout", 2.0, "e"),
    )
    assert page.next_cursor == page.end_cursor == 8


def test_streams_do_not_mix_within_a_line() -> None:
    page = Log(("stdout", b"out"), ("stderr", b"err\n"), ("stdout", b"put\n")).page()
    assert [(entry.stream, entry.line) for entry in page.entries] == [("stdout", "output"), ("stderr", "err")]
    assert (page.stdout_lines, page.stderr_lines) == (1, 1)


def test_a_last_line_without_end_counts_and_is_not_continued_by_the_next_attempt() -> None:
    log = Log(("stdout", b"done\nnot y"))
    assert (lines_of(log.page()), log.page().stdout_lines) == (["done", "not y"], 2)
    log.append(pieces_of(("stdout", b"again\n")))
    assert (lines_of(log.page()), log.page().stdout_lines) == (["done", "not y", "again"], 3)


def test_line_ends_of_windows_and_empty_lines() -> None:
    page = Log(("stdout", b"a\r"), ("stdout", b"\n\r\n\nb\rc\nd\r")).page()
    assert lines_of(page) == ["a", "", "", "b\rc", "d\r"]


def test_bytes_that_are_not_utf_8_are_replaced_but_a_cut_character_is_joined() -> None:
    assert lines_of(Log(("stdout", b"\xc3"), ("stdout", b"\xa4\xff\n")).page()) == ["ä\ufffd"]


def test_a_filter_changes_the_lines_but_neither_the_totals_nor_the_cursors() -> None:
    log = Log(("stdout", b"1\n"), ("stderr", b"2\n"), ("stdout", b"3\n"), ("stderr", b"4\n"))
    page = log.page(LogQuery(stream="stdout"))
    assert lines_of(page) == ["1", "3"]
    assert (page.next_cursor, page.stdout_lines, page.stderr_lines) == (8, 2, 2)
    first = log.page(LogQuery(limit=2))
    assert lines_of(log.page(LogQuery(stream="stderr", cursor=first.next_cursor))) == ["4"]


def test_a_cursor_goes_on_and_a_tail_looks_back() -> None:
    log = Log(("stdout", b"0\n1\n2\n3\n4\n"))
    first = log.page(LogQuery(limit=2))
    assert lines_of(first) == ["0", "1"]
    rest = log.page(LogQuery(cursor=first.next_cursor, limit=9))
    assert (lines_of(rest), rest.next_cursor) == (["2", "3", "4"], rest.end_cursor)
    tail = log.page(LogQuery(limit=2, tail=True))
    assert (lines_of(tail), tail.next_cursor) == (["3", "4"], rest.end_cursor)


def test_a_cursor_beyond_the_end_means_the_end() -> None:
    page = Log(("stdout", b"0\n")).page(LogQuery(cursor=99))
    assert (page.entries, page.next_cursor) == ((), 2)


def test_a_page_and_a_tail_take_no_more_pieces_than_they_need() -> None:
    log = Log(*said(b"line\n", times=1_000))
    for query in (LogQuery(limit=10), LogQuery(limit=10, tail=True)):
        assert len(log.page(query).entries) == 10
        assert log.taken <= 11


def test_a_follower_gets_each_part_of_a_line_once() -> None:
    attempt, log = AttemptLog(), Log()
    seen: list[tuple[str, bool]] = []
    cursor = 0
    for chunk in chunks_of(("stdout", b"load"), ("stderr", b"a warning\n"), ("stdout", b"ing"), ("stdout", b"\nnext")):
        attempt.add(chunk)
        log.append(attempt.take())
        entries, cursor = log.follow(cursor)
        seen += [(entry.line, entry.continues) for entry in entries]
    assert seen == [("load", False), ("a warning", False), ("ing", True), ("next", False)]
    assert lines_of(log.page()) == ["loading", "a warning", "next"]


def test_a_page_is_bounded_in_bytes() -> None:
    line = b"x" * 9_999 + b"\n"
    log = Log(*said(line * 6, times=100))
    first = log.page()
    assert len(first.entries) == PAGE_BYTES // len(line)
    entries, _ = log.follow()
    assert len(entries) == 600
    tail = log.page(LogQuery(tail=True))
    assert 0.9 * PAGE_BYTES < len(tail.entries) * len(line) <= PAGE_BYTES
    assert tail.next_cursor == tail.end_cursor


def test_a_line_of_megabytes_comes_in_parts() -> None:
    log = Log(("stdout", b"first\n"), *said(b"x" * 60_000, times=50), ("stdout", b"END\nlast\n"))
    entries, _ = log.follow()
    assert [line for *_, line in joined(entries)] == ["first", "x" * 3_000_000 + "END", "last"]
    assert all(len(entry.line) <= PAGE_BYTES for entry in entries)
    assert lines_of(log.page(LogQuery(tail=True))) == ["last"]
    assert lines_of(log.page(LogQuery(limit=1))) == ["first"]


def test_a_tail_of_nothing_but_one_long_line_shows_its_end() -> None:
    log = Log(*said(b"x" * 60_000, times=50), ("stdout", b"END"))
    (entry,) = log.page(LogQuery(tail=True)).entries
    assert entry.continues
    assert entry.line.endswith("xEND")
    assert 0.9 * PAGE_BYTES < len(entry.line) <= PAGE_BYTES


streams = st.sampled_from(["stdout", "stderr"])
written = st.lists(st.tuples(streams, st.text("ab\n\r", max_size=6).map(str.encode)), max_size=12)


@given(written)
def test_all_that_was_written_is_read_in_its_stream(parts: list[Part]) -> None:
    page = Log(*parts).page()
    for stream in ("stdout", "stderr"):
        text = b"".join(data for name, data in parts if name == stream).decode()
        lines = text.split("\n")
        expected = [line.removesuffix("\r") for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        assert [entry.line for entry in page.entries if entry.stream == stream] == expected


@given(written, st.integers(0, 12))
def test_what_is_written_later_moves_no_line(parts: list[Part], split: int) -> None:
    attempt, log = AttemptLog(), Log()
    for number, chunk in enumerate(chunks_of(*parts)):
        attempt.add(chunk)
        if number == split:
            log.append(attempt.take())
    before = log.page()
    log.append(attempt.end())
    for early, late in zip(before.entries, log.page().entries, strict=False):
        assert (late.stream, late.written_at) == (early.stream, early.written_at)
        assert late.line.startswith(early.line)


@given(written, st.integers(1, 4), st.sampled_from([None, "stdout", "stderr"]))
def test_pages_join_to_the_whole(parts: list[Part], limit: int, stream: Stream | None) -> None:
    log = Log(*parts)
    whole = log.page(LogQuery(stream=stream))
    entries, cursor = log.follow(limit=limit, stream=stream)
    assert joined(entries) == joined(whole.entries)
    assert cursor == whole.next_cursor
    if stream is None:
        assert len(whole.entries) == whole.stdout_lines + whole.stderr_lines


@given(written, st.integers(1, 4), st.sampled_from([None, "stdout", "stderr"]))
def test_pages_of_few_bytes_join_to_the_whole(parts: list[Part], limit: int, stream: Stream | None) -> None:
    log = Log(*parts)
    whole = log.page(LogQuery(stream=stream))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_pages, "PAGE_BYTES", 9)
        entries, cursor = log.follow(limit=limit, stream=stream)
        for query in (LogQuery(stream=stream), LogQuery(stream=stream, tail=True)):
            page = log.page(query)
            assert sum(len(entry.line) for entry in page.entries) <= 9
            assert bool(page.entries) == bool(whole.entries)
    assert joined(entries) == joined(whole.entries)
    assert cursor == whole.next_cursor


@given(written, st.integers(1, 4), st.sampled_from([None, "stdout", "stderr"]))
def test_who_follows_reads_what_is_there_in_the_end(parts: list[Part], limit: int, stream: Stream | None) -> None:
    attempt, log = AttemptLog(), Log()
    entries: list[LogEntry] = []
    cursor = 0
    for chunk in chunks_of(*parts):
        attempt.add(chunk)
        log.append(attempt.take())
        more, cursor = log.follow(cursor, limit, stream)
        entries += more
    log.append(attempt.end())
    entries += log.follow(cursor, limit, stream)[0]
    assert joined(entries) == joined(log.page(LogQuery(stream=stream)).entries)


@given(written, st.integers(1, 4))
def test_a_tail_is_the_end_of_the_whole(parts: list[Part], limit: int) -> None:
    log = Log(*parts)
    assert log.page(LogQuery(limit=limit, tail=True)).entries == log.page().entries[-limit:]
