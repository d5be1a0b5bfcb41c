"""What the store knows without asking its tables: nobody else writes to them while it is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_queue_plugin.model.admission import TallyKey, tally_keys, tally_keys_in
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.queues import QueueFigures, QueueState
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.sqlite.counters import Counters
from mcp_queue_plugin.store.sqlite.recent import Recent


class Live:
    """Counters, tallies of jobs that have not ended, queue states, and the records written last, as committed."""

    def __init__(
        self,
        tally_rows: Iterable[Sequence[Any]] = (),
        states: Iterable[QueueState] = (),
        *,
        counters: Counters | None = None,
        recent_jobs: int = 0,
    ) -> None:
        """Count the rows of query ``tallies``, keep ``states``, and of records up to ``recent_jobs``.

        Without ``counters`` nothing has happened yet.
        """
        self.counters = counters or Counters.zero()
        self.recent = Recent(recent_jobs)
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
        self.counters = live.counters.copy()
        self._tallies: Counter[TallyKey] = Counter()
        self._jobs: dict[int, Job | None] = {}
        """The records that it has changed, in the order of their first change; None for one that was removed."""
        self._uids: dict[str, int] = {}
        self.states: dict[str, QueueState] = {}

    def at(self, uid: int) -> Job | None:
        """The record with this uid, if it is at hand."""
        return self._jobs[uid] if uid in self._jobs else self._live.recent.at(uid)

    def named(self, job_id: str) -> Job | None:
        """The record that a public id names, the living one or else the last tombstone, if it is at hand."""
        uid = self._uids.get(job_id)
        return self._live.recent.living(job_id) if uid is None else self._jobs[uid]

    def keep(self, job: Job) -> None:
        """Take over a record that is new, or has changed."""
        self._jobs[job.uid] = job
        self._uids[job.job_id] = max(job.uid, self._uids.get(job.job_id, 0))

    def remove(self, job: Job) -> None:
        """Take over that a record is no more."""
        self._jobs[job.uid] = None
        if self._uids.get(job.job_id) == job.uid:
            del self._uids[job.job_id]

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
        self._live.counters = self.counters
        tallies = self._live.tallies
        for key, count in self._tallies.items():
            tallies[key] += count
        self._live.states.update(self.states)
        for uid, job in self._jobs.items():
            if job is None:
                self._live.recent.forget(uid)
            else:
                self._live.recent.keep(job)
