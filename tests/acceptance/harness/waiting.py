"""Waiting for what a server does: bounded polls of what can be seen from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Seen = TypeVar("Seen")

POLL_SECONDS = 0.01
WAIT_SECONDS = 20.0


def until(look: Callable[[], Seen], what: str, seconds: float = WAIT_SECONDS) -> Seen:
    """Look again and again until something is seen, and answer it; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_SECONDS)
    return seen


class Gate:
    """A file that jobs wait for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def open(self) -> None:
        self._path.touch()
