"""From chunks of bytes to pieces, wherever the chunks are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_queue_plugin.model.log_lines import JOIN_SECONDS, PIECE_BYTES, AttemptLog
from mcp_queue_plugin.model.log_pieces import LogChunk, LogPiece
from mcp_queue_plugin.model.queries import Stream
from tests.unit.model.logs import Part, pieces_of


def test_an_attempt_that_writes_nothing_hands_on_nothing() -> None:
    attempt = AttemptLog()
    attempt.add(LogChunk("stdout", 1.0, b""))
    assert attempt.take() == attempt.end() == ()


def test_what_was_taken_is_not_handed_on_again() -> None:
    attempt = AttemptLog()
    attempt.add(LogChunk("stdout", 1.0, b"one\n"))
    assert attempt.size_bytes == 4
    assert attempt.take() == (LogPiece("stdout", 1.0, b"one\n"),)
    assert attempt.size_bytes == 0
    attempt.add(LogChunk("stdout", 2.0, b"two\n"))
    assert attempt.end() == (LogPiece("stdout", 2.0, b"two\n"),)


def test_a_line_without_its_end_is_handed_on_and_continued() -> None:
    attempt = AttemptLog()
    attempt.add(LogChunk("stdout", 1.0, b"one\ntw"))
    attempt.add(LogChunk("stderr", 1.0, b"other\n"))
    first = attempt.take()
    attempt.add(LogChunk("stdout", 2.0, b"o\nthree\n"))
    attempt.add(LogChunk("stdout", 3.0, b"four\n"))
    assert first == (LogPiece("stdout", 1.0, b"one\ntw"), LogPiece("stderr", 1.0, b"other\n"))
    assert attempt.end() == (
        LogPiece("stdout", 2.0, b"o\nthree\n", continues=True),
        LogPiece("stdout", 3.0, b"four\n"),
    )


def test_what_is_read_soon_after_each_other_is_one_piece() -> None:
    attempt = AttemptLog()
    times = [number * 0.3 * JOIN_SECONDS for number in range(9)]
    for time in times:
        attempt.add(LogChunk("stdout", time, b"line\n"))
    pieces = attempt.end()
    assert [piece.written_at for piece in pieces] == [times[0], times[4], times[8]]
    assert [piece.lines for piece in pieces] == [4, 4, 1]


def test_the_order_of_the_streams_is_kept() -> None:
    attempt = AttemptLog()
    streams: tuple[Stream, ...] = ("stdout", "stderr", "stderr", "stdout")
    for stream in streams:
        attempt.add(LogChunk(stream, 1.0, b"x\n"))
    assert [(piece.stream, piece.lines) for piece in attempt.end()] == [("stdout", 1), ("stderr", 2), ("stdout", 1)]


def test_a_piece_has_a_size() -> None:
    attempt = AttemptLog()
    for size in (PIECE_BYTES - 1, 1, 1, PIECE_BYTES + 5):
        attempt.add(LogChunk("stdout", 1.0, b"x" * size))
    assert attempt.size_bytes == 2 * PIECE_BYTES + 6
    assert [len(piece.data) for piece in attempt.end()] == [PIECE_BYTES, 1, PIECE_BYTES + 5]


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (b"plain", 0),
        (b"line\n", 0),
        (b"line\r", 1),
        (b"\r\n", 0),
        ("ä".encode(), 0),
        ("ä".encode()[:1], 1),
        ("x€".encode()[:-1], 2),
        ("x€".encode()[:-2], 1),
        ("😀".encode(), 0),
        ("😀".encode()[:3], 3),
        ("€".encode()[1:], 0),
        (b"\x80\x80\x80\x80", 0),
        (b"a\x80", 0),
    ],
)
def test_only_what_makes_no_sense_alone_is_held_back(data: bytes, held: int) -> None:
    attempt = AttemptLog()
    attempt.add(LogChunk("stdout", 1.0, data))
    shown = b"".join(piece.data for piece in attempt.take())
    assert shown == data[: len(data) - held]
    attempt.add(LogChunk("stderr", 1.0, b"x"))
    assert b"".join(piece.data for piece in attempt.end() if piece.stream == "stdout") == data[len(data) - held :]


def test_what_was_held_back_goes_on_with_the_next_chunk() -> None:
    attempt = AttemptLog()
    attempt.add(LogChunk("stdout", 1.0, b"50%\r"))
    assert attempt.take() == (LogPiece("stdout", 1.0, b"50%"),)
    attempt.add(LogChunk("stdout", 2.0, b"\n"))
    assert attempt.take() == (LogPiece("stdout", 2.0, b"\r\n", continues=True),)


streams = st.sampled_from(["stdout", "stderr"])
texts = st.binary(max_size=6) | st.sampled_from([b"\r", b"\n", b"\xe2\x82"])
written = st.lists(st.tuples(streams, texts), max_size=12)


@given(written)
@example([("stdout", b"\xf0\x9f"), ("stdout", b"\x98"), ("stdout", b"\x80\r"), ("stdout", b"\n")])
def test_nothing_is_lost_or_moved_within_its_stream(parts: list[Part]) -> None:
    pieces = pieces_of(*parts)
    for stream in ("stdout", "stderr"):
        of_stream = [piece for piece in pieces if piece.stream == stream]
        text = b"".join(data for name, data in parts if name == stream)
        assert b"".join(piece.data for piece in of_stream) == text
        assert sum(piece.lines for piece in of_stream) == len(text.removesuffix(b"\n").split(b"\n")) * bool(text)
        for piece, following in itertools.pairwise(of_stream):
            assert following.continues == (not piece.data.endswith(b"\n"))
            assert not (piece.data.endswith(b"\r") and following.data.startswith(b"\n"))
