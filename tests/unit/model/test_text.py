"""Texts cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_queue_plugin.model.text import piece_at


@given(st.text(), st.integers(4, 40))
def test_the_pieces_of_a_text_make_up_the_whole(text: str, most_bytes: int) -> None:
    document, start, pieces = text.encode(), 0, []
    while start < len(document):
        piece, end = piece_at(document, start, most_bytes)
        assert piece
        assert len(piece.encode()) <= most_bytes
        assert end > start
        pieces.append(piece)
        start = end
    assert "".join(pieces) == text


@given(st.text(min_size=1), st.integers(0, 400), st.integers(4, 40))
def test_a_piece_may_begin_anywhere_and_tears_no_character(text: str, start: int, most_bytes: int) -> None:
    piece, end = piece_at(text.encode(), start, most_bytes)
    assert piece in text
    assert end >= start
