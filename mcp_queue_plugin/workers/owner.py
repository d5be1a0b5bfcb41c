"""What a worker's owner hears of it, and where a worker stands."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending
from mcp_queue_plugin.workers.protocol import Ready

if TYPE_CHECKING:
    from mcp_queue_plugin.workers.process import Worker


class WorkerState(Enum):
    """Where a worker stands. LEAVING: it takes no more jobs, and its process ends."""

    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    LEAVING = auto()
    GONE = auto()


class WorkerOwner(Protocol):
    """Whom a worker tells what happens; called on the loop."""

    def worker_ready(self, worker: Worker, ready: Ready) -> None:
        """It takes jobs now."""
        ...

    def worker_began(self, token: Token) -> None:
        """The attempt is the one that runs now."""
        ...

    def worker_recalled(self, tokens: Sequence[Token]) -> None:
        """These attempts were taken back, the last first: the worker has done nothing of them."""
        ...

    def worker_progress(self, token: Token, changes: Changes) -> None:
        """The running attempt reported ``changes``."""
        ...

    def worker_asked(self, token: Token, question: Question) -> None:
        """The running attempt asked ``question``."""
        ...

    def worker_log(self, token: Token, chunk: LogChunk) -> None:
        """The running attempt wrote ``chunk``."""
        ...

    def worker_ended(self, worker: Worker, token: Token, ending: Ending, changes: Changes) -> None:
        """The attempt has ended and all it wrote was told; the worker is IDLE, LEAVING, or BUSY with the next."""
        ...

    def worker_gone(self, worker: Worker) -> None:
        """The process has ended, and nothing of it is left in this one."""
        ...
