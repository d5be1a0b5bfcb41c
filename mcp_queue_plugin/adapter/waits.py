"""How many calls of each caller wait at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mcp_queue_plugin.adapter.callers import current_caller
from mcp_queue_plugin.errors import TooManyWaits


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
