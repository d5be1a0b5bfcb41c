"""What a pool tells of its workers and of the attempts that they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mcp_queue_plugin.errors import WorkerStartFailed
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending
from mcp_queue_plugin.workers.protocol import Ready


class PoolEvents(Protocol):
    """Whom the pool tells what happens. All methods are called on the loop and must return soon."""

    def on_idle(self) -> None:
        """A worker became free: one more job can be run."""
        ...

    def on_begun(self, token: Token) -> None:
        """An attempt runs now; or, if its worker dies at this very moment, it is told as recalled all the same."""
        ...

    def on_recalled(self, tokens: Sequence[Token]) -> None:
        """These attempts were taken back, the last first: nothing was done of them."""
        ...

    def on_progress(self, token: Token, changes: Changes) -> None:
        """A running attempt reported ``changes``."""
        ...

    def on_asked(self, token: Token, question: Question) -> None:
        """A running attempt asked ``question``; ``WorkerPool.answer`` answers it."""
        ...

    def on_log(self, token: Token, chunk: LogChunk) -> None:
        """A running attempt wrote ``chunk``."""
        ...

    def on_ended(self, token: Token, ending: Ending, changes: Changes) -> None:
        """An attempt ended; ``changes`` are its last, and every chunk it wrote has been told before."""
        ...

    def on_ready(self, ready: Ready) -> None:
        """For the first time a worker of this generation is ready."""
        ...

    def on_broken(self, error: WorkerStartFailed) -> None:
        """A worker did not become ready. Its data hold ``traceback`` and ``stderr_tail``, where there are any."""
        ...
