"""The codec: whatever pieces a stream arrives in, the same frames come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.workers.protocol import HEADER_MAX_BYTES, Frame, FrameReader, Kind, Stop, decode, encode

FRAMES = st.lists(st.tuples(st.integers(0, 255), st.text(max_size=50), st.binary(max_size=200)), max_size=8)


@given(frames=FRAMES, data=st.data())
def test_any_split_of_any_frames_is_read_back(frames: list[tuple[int, str, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode(kind, header, payload) for kind, header, payload in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader = FrameReader()
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    read = [frame for piece in pieces for frame in reader.feed(piece)]
    assert [(frame.kind, decode(frame.header, str), frame.payload) for frame in read] == frames


def test_a_reader_that_is_left_early_goes_on_where_it_was() -> None:
    reader = FrameReader()
    for _ in reader.feed(encode(1, None) + encode(2, None)):
        break
    assert [frame.kind for frame in reader.feed(b"")] == [2]


def test_a_frame_is_refused_before_its_payload_arrives() -> None:
    reader = FrameReader(payload_max_bytes=10)
    assert list(reader.feed(encode(1, None, b"x" * 10))) == [Frame(1, b"null", b"x" * 10)]
    with pytest.raises(ProtocolViolation, match="announces 11 bytes"):
        list(reader.feed(encode(1, None, b"x" * 11)[:7]))


def test_what_no_frame_can_carry_is_not_encoded() -> None:
    with pytest.raises(ProtocolViolation, match="too large to send"):
        encode(1, "x" * HEADER_MAX_BYTES)


@pytest.mark.parametrize("document", [b"", b"{", b'{"token": 1}', b"[]"])
def test_a_header_of_another_shape_is_a_violation(document: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="not a Stop"):
        decode(document, Stop)


def test_a_header_reads_as_it_was_written() -> None:
    [frame] = FrameReader().feed(encode(Kind.STOP, Stop(Token(1, 2))))
    assert decode(frame.header, Stop) == Stop(Token(1, 2))
