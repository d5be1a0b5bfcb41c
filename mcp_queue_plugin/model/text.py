"""Texts as records can keep them."""

from __future__ import annotations


def storable(text: str, max_length: int | None = None) -> str:
    """``text`` cut to ``max_length`` characters; lone surrogates, which UTF-8 cannot say, are written as escapes."""
    cut = text[:max_length]
    return cut if cut.isascii() else cut.encode("utf-8", "backslashreplace").decode()[:max_length]
