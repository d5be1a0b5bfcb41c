"""From chunks of bytes to lines, wherever the chunks are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.log_lines import page
from mcp_queue_plugin.model.operations import LogChunk
from mcp_queue_plugin.model.queries import LogEntry, LogPage, LogQuery


def chunks_of(*parts: tuple[str, bytes]) -> list[LogChunk]:
    """Chunks written one second after the other."""
    return [LogChunk(stream, float(second), data) for second, (stream, data) in enumerate(parts)]


def lines_of(found: LogPage) -> list[str]:
    return [entry.line for entry in found.entries]


def test_an_empty_log_has_no_lines() -> None:
    empty = LogPage(entries=(), next_cursor=0, stdout_lines=0, stderr_lines=0)
    assert page([], LogQuery()) == empty
    assert page(chunks_of(("stdout", b"")), LogQuery(tail=True)) == empty


def test_a_line_may_span_chunks_and_has_the_time_of_its_beginning() -> None:
    found = page(chunks_of(("stdout", b"a\nb"), ("stdout", b"c"), ("stdout", b"d\ne\n")), LogQuery())
    assert found.entries == (
        LogEntry("stdout", 0.0, "a"),
        LogEntry("stdout", 0.0, "bcd"),
        LogEntry("stdout", 2.0, "e"),
    )
    assert found.next_cursor == 3


def test_streams_do_not_mix_within_a_line() -> None:
    log = chunks_of(("stdout", b"out"), ("stderr", b"err\n"), ("stdout", b"put\n"))
    found = page(log, LogQuery())
    assert [(entry.stream, entry.line) for entry in found.entries] == [("stdout", "output"), ("stderr", "err")]
    assert (found.stdout_lines, found.stderr_lines) == (1, 1)


def test_a_last_line_without_end_counts() -> None:
    found = page(chunks_of(("stdout", b"done\nnot y")), LogQuery())
    assert lines_of(found) == ["done", "not y"]
    assert found.stdout_lines == 2


def test_line_ends_of_windows_and_empty_lines() -> None:
    found = page(chunks_of(("stdout", b"a\r"), ("stdout", b"\n\r\n\nb\rc\n")), LogQuery())
    assert lines_of(found) == ["a", "", "", "b\rc"]


def test_bytes_that_are_not_utf_8_are_replaced_but_a_cut_character_is_joined() -> None:
    found = page(chunks_of(("stdout", b"\xc3"), ("stdout", b"\xa4\xff\n")), LogQuery())
    assert lines_of(found) == ["ä\ufffd"]


def test_a_filter_changes_the_lines_but_not_the_totals() -> None:
    log = chunks_of(("stdout", b"1\n"), ("stderr", b"2\n"), ("stdout", b"3\n"))
    found = page(log, LogQuery(stream="stdout"))
    assert lines_of(found) == ["1", "3"]
    assert (found.next_cursor, found.stdout_lines, found.stderr_lines) == (2, 2, 1)


def test_a_cursor_goes_on_and_a_tail_looks_back() -> None:
    log = chunks_of(("stdout", b"0\n1\n2\n3\n4\n"))
    first = page(log, LogQuery(limit=2))
    assert (lines_of(first), first.next_cursor) == (["0", "1"], 2)
    rest = page(log, LogQuery(cursor=2, limit=9))
    assert (lines_of(rest), rest.next_cursor) == (["2", "3", "4"], 5)
    tail = page(log, LogQuery(limit=2, tail=True))
    assert (lines_of(tail), tail.next_cursor) == (["3", "4"], 5)


def test_a_cursor_beyond_the_end_means_the_end() -> None:
    found = page(chunks_of(("stdout", b"0\n")), LogQuery(cursor=99))
    assert (found.entries, found.next_cursor) == ((), 1)


streams = st.sampled_from(["stdout", "stderr"])
written = st.lists(st.tuples(streams, st.text("ab\n\r", max_size=6).map(str.encode)), max_size=12)


@given(written)
def test_all_that_was_written_is_read_in_its_stream(parts: list[tuple[str, bytes]]) -> None:
    found = page(chunks_of(*parts), LogQuery(limit=1_000))
    for stream in ("stdout", "stderr"):
        text = b"".join(data for name, data in parts if name == stream).decode()
        expected = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
        assert [entry.line for entry in found.entries if entry.stream == stream] == expected


@given(written, st.integers(0, 12))
def test_what_is_written_later_moves_no_line(parts: list[tuple[str, bytes]], split: int) -> None:
    before = page(chunks_of(*parts[:split]), LogQuery(limit=1_000))
    after = page(chunks_of(*parts), LogQuery(limit=1_000))
    for early, late in zip(before.entries, after.entries, strict=False):
        assert (late.stream, late.written_at) == (early.stream, early.written_at)
        assert late.line.startswith(early.line)


@given(written, st.integers(1, 4))
def test_pages_join_to_the_whole(parts: list[tuple[str, bytes]], limit: int) -> None:
    log = chunks_of(*parts)
    whole = page(log, LogQuery(limit=1_000))
    entries: tuple[LogEntry, ...] = ()
    while part := page(log, LogQuery(cursor=len(entries), limit=limit)).entries:
        entries += part
    assert entries == whole.entries
    assert len(entries) == whole.stdout_lines + whole.stderr_lines
