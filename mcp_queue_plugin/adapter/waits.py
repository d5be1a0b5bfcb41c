"""The calls that wait: for how long they may, who hears of it meanwhile, and how many of each caller there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from mcp_queue_plugin.adapter.bridge.server import synchronous_cap_seconds
from mcp_queue_plugin.adapter.callers import current_caller
from mcp_queue_plugin.errors import TooManyWaits
from mcp_queue_plugin.model.job import Job

WAIT_MAX_SECONDS = 55.0
"""The longest wait that a call may ask for: most clients give up on a call after a minute."""


class WaitTerms(NamedTuple):
    """On which terms the calls of one surface wait."""

    longest_seconds: float
    """The longest wait."""
    on_change: Callable[[Job], Awaitable[None]] | None = None
    """Told of the changes of the job that a call waits for."""


_terms: ContextVar[WaitTerms | None] = ContextVar("mcp_queue_wait_terms", default=None)


@contextmanager
def waiting_on(terms: WaitTerms) -> Iterator[None]:
    """Let calls within the block wait on ``terms``."""
    token = _terms.set(terms)
    try:
        yield
    finally:
        _terms.reset(token)


def wait_terms() -> WaitTerms:
    """The terms of the surface that calls; over JSON-RPC the adapter hands a call that takes longer over to a job."""
    return _terms.get() or WaitTerms(longest_seconds=max(0.0, synchronous_cap_seconds() - 1.0))


class Waits:
    """The calls that wait now, by the owner who has sent them."""

    def __init__(self, most: int) -> None:
        """Let at most so many calls of one owner wait."""
        self._most = most
        self._waiting: Counter[str | None] = Counter()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Let one call of the current caller wait within the block.

        Raises:
            TooManyWaits: as many as may do already.
        """
        owner = current_caller().owner
        if self._waiting[owner] >= self._most:
            raise TooManyWaits(
                f"{self._most} of your calls wait already, as many as may: let one end before the next",
                max_waits=self._most,
            )
        self._waiting[owner] += 1
        try:
            yield
        finally:
            self._waiting[owner] -= 1
            if not self._waiting[owner]:
                del self._waiting[owner]
