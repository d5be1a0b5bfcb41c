"""Texts as records can keep them."""

from __future__ import annotations


def storable(text: str, max_length: int | None = None) -> str:
    """``text`` cut to ``max_length`` characters; lone surrogates, which UTF-8 cannot say, are written as escapes."""
    cut = text[:max_length]
    return cut if cut.isascii() else cut.encode("utf-8", "backslashreplace").decode()[:max_length]


def piece_at(document: bytes, start: int, most_bytes: int) -> tuple[str, int]:
    """The text of ``document``, which is UTF-8, from byte ``start`` on, and where the next piece begins.

    No character is torn: a start within one begins behind it, a piece ends before one that does not fit.
    ``most_bytes`` is at least 4, as many as a character has at most.
    """
    while start < len(document) and _continues(document[start]):
        start += 1
    end = min(len(document), start + most_bytes)
    while end < len(document) and _continues(document[end]):
        end -= 1
    return document[start:end].decode(), max(start, end)


def _continues(byte: int) -> bool:
    """Whether a byte of UTF-8 is not the first of its character (RFC 3629)."""
    return byte & 0b1100_0000 == 0b1000_0000
