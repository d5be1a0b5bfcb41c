"""What the store knows of the jobs that have not ended, and of the queues, without asking its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_queue_plugin.model.admission import TallyKey, tally_keys, tally_keys_in
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queues import QueueFigures, QueueState
from mcp_queue_plugin.model.states import State


class Live:
    """Tallies and queue states as they were committed last."""

    def __init__(self, tally_rows: Iterable[Sequence[Any]] = (), states: Iterable[QueueState] = ()) -> None:
        """Count the rows of query ``tallies``, and keep ``states``."""
        self.tallies: Counter[TallyKey] = Counter()
        self.states = {state.name: state for state in states}
        for queue, job_type, command, state, count in tally_rows:
            for key in tally_keys_in(State(state), queue, job_type, command):
                self.tallies[key] += count

    def queued(self, queue: str) -> int:
        """How many jobs of a queue wait for a slot."""
        return self.tallies["queued", queue]

    def figures(self) -> Mapping[str, QueueFigures]:
        """Every queue that has a state or a job that has not ended."""
        names = {name for (kind, name), count in self.tallies.items() if count and kind in ("pending", "running")}
        return {
            name: QueueFigures(
                state=self.states.get(name) or QueueState(name=name),
                pending=self.tallies["pending", name],
                running=self.tallies["running", name],
            )
            for name in names | self.states.keys()
        }


class Draft:
    """What one transaction changes of it; nothing of it holds before ``commit``, and nothing if that never comes."""

    def __init__(self, live: Live) -> None:
        """Begin with what is committed."""
        self._live = live
        self._tallies: Counter[TallyKey] = Counter()
        self.states: dict[str, QueueState] = {}

    def move(self, before: Job | None, after: Job | None) -> None:
        """Count a job that became another; None for one that was not there, or is no more."""
        if before is not None and after is not None and before.state is after.state:
            return
        for key in () if before is None else tally_keys(before):
            self._tallies[key] -= 1
        for key in () if after is None else tally_keys(after):
            self._tallies[key] += 1

    def tally(self, key: TallyKey) -> int:
        """How many jobs count there now."""
        return self._live.tallies[key] + self._tallies[key]

    def queue(self, name: str) -> QueueState:
        """The state of a queue as it is now."""
        return self.states.get(name) or self._live.states.get(name) or QueueState(name=name)

    def commit(self) -> None:
        """Let it hold."""
        tallies = self._live.tallies
        for key, count in self._tallies.items():
            tallies[key] += count
        self._live.states.update(self.states)
