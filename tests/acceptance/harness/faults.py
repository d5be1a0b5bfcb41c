"""Faults of the host, begun and ended by a test while its server runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.acceptance.harness.server import ROOT, Server

INJECTED = Path(__file__).parents[1] / "injected"

Fault = Literal["disk_full", "disk_read_only", "disk_unreadable", "no_memory_to_fork"]


class Faults:
    """Files that say what fails now; a server that is started with ``environment`` looks at them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.environment = {"FAULTS": str(folder), "PYTHONPATH": os.pathsep.join([str(INJECTED), str(ROOT)])}

    @contextmanager
    def during(self, fault: Fault) -> Iterator[None]:
        """Let the host have this fault for the body."""
        path = self._folder / fault
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    def set_clock(self, shift_seconds: float) -> None:
        """Set the system's clock, seen from the server and all it starts, so far from the true time."""
        new = self._folder / "new"
        new.write_text(str(shift_seconds))
        new.rename(self._folder / "clock_shift_seconds")


def is_degraded(server: Server, words: str) -> bool:
    """Whether health says so, with these words, in both its places."""
    health = server.health()
    said = (str(health["issues"]), str(server.get("/health")))
    return health["status"] == "degraded" and all(words in place for place in said)


def is_well(server: Server) -> bool:
    """Whether health says so in both its places."""
    return bool(server.health()["status"] == "healthy" and server.get("/health")["status"] != "degraded")
