"""The newest bytes of a log are kept, in whole lines, and every line that is not is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.log_limit import PIECE_MAX_BYTES, PIECES_PER_LOG, append
from mcp_queue_plugin.model.log_pages import PAGE_BYTES
from mcp_queue_plugin.model.log_pieces import LogPiece, LogPlace
from mcp_queue_plugin.model.queries import LogQuery
from tests.unit.model.logs import Log, Part, lines_of, pieces_of

LIMIT = 1024


EVERYTHING = LogQuery(limit=1_000_000)


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, first + count))


def test_a_place_counts_bytes_and_lines() -> None:
    end = LogPlace(100, 7, 5)
    pieces = pieces_of(("stdout", b"a\nb"), ("stderr", b"e\n"), ("stdout", b"c\nd\n"))
    (first, second, third), first_position = append(end, pieces, log_bytes=LIMIT)
    assert first_position == 0
    assert (first.begin, first.lines) == (LogPlace(100, 7, 5), 2)
    assert (second.begin, second.lines) == (LogPlace(103, 9, 5), 1)
    assert (third.begin, third.lines, third.continues) == (LogPlace(105, 9, 6), 1, True)
    assert third.end == LogPlace(109, 10, 6)


def test_nothing_is_dropped_below_the_limit() -> None:
    log = Log(("stdout", b"x" * (LIMIT - 1)), log_bytes=LIMIT)
    log.append([LogPiece("stdout", 1.0, b"\n", continues=True)])
    assert (log.size_bytes, log.page().dropped_lines) == (LIMIT, 0)


def test_the_oldest_lines_are_dropped_and_counted() -> None:
    log = Log(log_bytes=LIMIT)
    for first in range(0, 1_000, 10):
        log.append([LogPiece("stdout" if first % 20 else "stderr", 1.0, numbered(first, 10))])
        assert log.size_bytes <= LIMIT
    page = log.page()
    assert lines_of(page) == [f"line {number}" for number in range(page.dropped_lines, 1_000)]
    assert (page.stdout_lines, page.stderr_lines) == (500, 500)
    assert log.size_bytes > LIMIT - LIMIT // PIECES_PER_LOG


def test_of_what_is_too_much_at_once_the_end_is_kept() -> None:
    log = Log(("stdout", numbered(0, 10_000)), log_bytes=LIMIT)
    page = log.page()
    assert log.size_bytes > LIMIT - len("line 9999\n")
    assert lines_of(page) == [f"line {number}" for number in range(page.dropped_lines, 10_000)]
    assert page.stdout_lines == 10_000


def test_of_a_line_that_is_too_long_the_end_is_kept() -> None:
    log = Log(("stdout", b"a\n" + b"x" * 10_000 + b"END\n"), log_bytes=LIMIT)
    (entry,) = log.page().entries
    assert (entry.continues, entry.line[-4:], len(entry.line)) == (True, "xEND", LIMIT - 1)
    assert (log.page().stdout_lines, log.page().dropped_lines) == (2, 2)


def test_a_line_whose_beginning_is_dropped_is_dropped() -> None:
    log = Log(log_bytes=LIMIT)
    log.append([LogPiece("stdout", 1.0, b"x" * 600)])
    log.append([LogPiece("stdout", 2.0, b"END\nnext\n", continues=True)])
    log.append([LogPiece("stderr", 3.0, numbered(0, 60))])
    page = log.page()
    assert lines_of(page) == ["next", *[f"line {number}" for number in range(60)]]
    assert (page.dropped_lines, page.stdout_lines) == (1, 2)


def test_no_character_and_no_line_end_is_cut() -> None:
    log = Log(("stdout", "ä€😀".encode() * 200 + b"\r\n"), log_bytes=LIMIT * 8)
    assert {len(piece.data) for piece in log.pieces[:-1]} <= {509, 510, 511, 512}
    assert "".join(piece.data.decode() for piece in log.pieces) == "ä€😀" * 200 + "\r\n"
    assert lines_of(log.page()) == ["ä€😀" * 200]
    log = Log(("stdout", b"x" * 63 + b"\r\n"), log_bytes=LIMIT)
    assert [len(piece.data) for piece in log.pieces] == [65]


def test_what_is_left_of_a_long_text_begins_with_a_character() -> None:
    log = Log(("stdout", "€".encode() * 1_000), log_bytes=LIMIT)
    assert lines_of(log.page()) == ["€" * (LIMIT // 3)]


def test_a_piece_is_never_too_large_for_a_page() -> None:
    log = Log(("stdout", b"x" * 10 * PIECE_MAX_BYTES))
    assert {len(piece.data) for piece in log.pieces} == {PIECE_MAX_BYTES}
    assert PIECE_MAX_BYTES < PAGE_BYTES


def test_bytes_that_are_no_text_are_cut_all_the_same() -> None:
    log = Log(("stdout", b"\x80" * 10_000), log_bytes=LIMIT)
    assert lines_of(log.page()) == ["\ufffd" * LIMIT]


def test_a_cursor_into_what_was_dropped_goes_on_at_the_oldest_line() -> None:
    log = Log(("stdout", numbered(0, 20)), log_bytes=LIMIT)
    seen = log.page(LogQuery(limit=10))
    log.append([LogPiece("stdout", 2.0, numbered(20, 500))])
    page = log.page(LogQuery(cursor=seen.next_cursor))
    assert page.entries == log.page().entries
    assert lines_of(page)[0] == f"line {page.dropped_lines}"


streams = st.sampled_from(["stdout", "stderr"])
parts = st.lists(
    st.tuples(streams, st.lists(st.sampled_from([b"x" * 40, b"\n", b"y\n" * 30, b"z" * 700])).map(b"".join)),
    max_size=15,
)


@given(parts, parts)
def test_the_limit_holds_and_the_end_is_kept(first: list[Part], second: list[Part]) -> None:
    log, unlimited = Log(*first, log_bytes=LIMIT), Log(*first)
    for each in (log, unlimited):
        each.append(pieces_of(*second))
    page, whole = log.page(EVERYTHING), unlimited.page(EVERYTHING)
    assert log.size_bytes <= LIMIT
    assert log.size_bytes >= min(unlimited.size_bytes, LIMIT - LIMIT // PIECES_PER_LOG)
    assert (page.stdout_lines, page.stderr_lines) == (whole.stdout_lines, whole.stderr_lines)
    if not any(entry.continues for entry in page.entries):
        assert page.dropped_lines + len(page.entries) == page.stdout_lines + page.stderr_lines
        assert page.entries == whole.entries[len(whole.entries) - len(page.entries) :]
