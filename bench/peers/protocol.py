"""What a system has to be able to do to be measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.tasks import Call

END_SECONDS = 120.0
"""How long a job may take before the measurement fails."""


class AsyncSystem(ABC):
    """A running system whose clients are tasks of one event loop."""

    @abstractmethod
    async def submit(self, call: Call) -> Any:
        """Hand in a job; when this returns the system has acknowledged it. Answers what ``wait`` takes."""

    @abstractmethod
    async def wait(self, handles: Sequence[Any]) -> list[Any]:
        """Wait until all these jobs have ended; what each task returned."""


class BlockingSystem(ABC):
    """A running system whose clients are threads."""

    @abstractmethod
    def submit(self, call: Call) -> Any:
        """Hand in a job; when this returns the system has acknowledged it. Answers what ``wait`` takes."""

    @abstractmethod
    def wait(self, handles: Sequence[Any]) -> list[Any]:
        """Wait until all these jobs have ended; what each task returned."""


System = AsyncSystem | BlockingSystem


@dataclass(frozen=True)
class Peer:
    """A system that can be measured.

    ``start(folder, workers)`` starts it with so many worker processes, on a store of its own in ``folder``.
    ``settings`` tells a reader how it is set up, ``packages`` names the distributions whose versions count.
    """

    name: str
    settings: str
    packages: tuple[str, ...]
    start: Callable[[Path, int], AbstractAsyncContextManager[System]]
