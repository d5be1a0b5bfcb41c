"""What the store counts in its transactions instead of asking its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp_queue_plugin.model.states import State, Status


class Counters:
    """The last version, uid and time for ranks given out, and how many jobs stand in each state."""

    def __init__(self, row: Sequence[Any]) -> None:
        """Count on from a row of query ``read_counters``."""
        self.version: int
        self._last_uid: int
        self.rank_time: float
        self.version, self._last_uid, self.rank_time, *by_state = row
        self.by_state = dict(zip(State, by_state, strict=True))

    @classmethod
    def zero(cls) -> Counters:
        """Those of a store in which nothing has happened."""
        return cls((0, 0, 0.0, *(0 for _ in State)))

    def copy(self) -> Counters:
        """The same counters, to count on apart from these."""
        return Counters(self.row)

    @property
    def row(self) -> tuple[float, ...]:
        """The values of query ``write_counters``."""
        return (self.version, self._last_uid, self.rank_time, *self.by_state.values())

    def next_version(self) -> int:
        """Give out the next version."""
        self.version += 1
        return self.version

    def next_uid(self) -> int:
        """Give out the next uid; none is ever given twice."""
        self._last_uid += 1
        return self._last_uid

    def move(self, before: State | None, after: State | None) -> None:
        """Count a job that went from state ``before`` to ``after``; None for one that is not there."""
        if before is not None:
            self.by_state[before] -= 1
        if after is not None:
            self.by_state[after] += 1

    def total(self, status: Status | None) -> int:
        """How many jobs have ``status``; with None, how many are not deleted."""
        return sum(
            count
            for state, count in self.by_state.items()
            if (state is not State.DELETED if status is None else state.status is status)
        )
