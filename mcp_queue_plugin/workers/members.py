"""Who is in the pool, and where each of its workers stands."""

from __future__ import annotations

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.options import Isolation
from mcp_queue_plugin.model.scaling import Census
from mcp_queue_plugin.workers.owner import WorkerState
from mcp_queue_plugin.workers.process import Worker


class Members:
    """The pool's workers. The idle ones stand in ``unused`` and ``used``, the one that became idle last at the end."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.processes: set[Worker] = set()
        """All that are not gone yet, those that leave included."""
        self.starting: set[Worker] = set()
        self.unused: list[Worker] = []
        """Idle, and no job has run in them: each will do for a fresh job."""
        self.used: list[Worker] = []
        self.busy: set[Worker] = set()
        self.attempts: dict[Token, Worker] = {}
        """Who has been given each of the attempts under way."""
        self.parting: set[Worker] = set()
        """Those of the busy that leave when their job is over."""
        self.due: set[Worker] = set()
        """Those of the used and the busy that leave as soon as a successor is ready."""
        self.successor: Worker | None = None
        """It starts, or waits ready for the place of another; it is in none of the others but ``processes``."""

    @property
    def ready_successor(self) -> Worker | None:
        """The successor, if it could take a job."""
        new = self.successor
        return new if new is not None and new.state is WorkerState.IDLE else None

    @property
    def due_and_idle(self) -> Worker | None:
        """An idle worker that is to be replaced."""
        return next((worker for worker in self.used if worker in self.due), None)

    def free(self, isolation: Isolation) -> int:
        """How many jobs of this isolation can run now."""
        return len(self.unused) + (0 if isolation == "fresh" else len(self.used))

    def candidates(self, isolation: Isolation) -> list[Worker]:
        """Those of whom the last is to run the next job; used ones come first, as a fresh job cannot have them."""
        return self.unused if isolation == "fresh" or not self.used else self.used

    def longest_idle(self) -> list[Worker]:
        """The idle workers, the one that has been idle longest first."""
        return sorted((*self.used, *self.unused), key=lambda worker: worker.idle_since)

    def census(self) -> Census:
        """How many there are of each kind."""
        unused, used, starting, busy = len(self.unused), len(self.used), len(self.starting), len(self.busy)
        successor = 0 if self.successor is None else 1
        return Census(
            unused=unused,
            used=used,
            starting=starting,
            busy=busy - len(self.parting),
            parting=len(self.parting),
            leaving=len(self.processes) - (unused + used + starting + busy + successor),
            successor=successor,
        )

    def add(self, worker: Worker) -> None:
        """Take in a worker that starts."""
        self.processes.add(worker)
        self.starting.add(worker)

    def add_successor(self, worker: Worker) -> None:
        """Take in a worker that starts, for the place of another."""
        self.processes.add(worker)
        self.successor = worker

    def fill_place(self) -> bool:
        """Give the successor, if there is one, a place of its own; answers whether one more job can run by that."""
        new, self.successor = self.successor, None
        if new is None:
            return False
        ready = new.state is WorkerState.IDLE
        if ready:
            self.unused.append(new)
        else:
            self.starting.add(new)
        return ready

    def remove(self, worker: Worker) -> bool:
        """Forget a worker that leaves, in all but ``processes``; answers whether it had a place of its own."""
        self.due.discard(worker)
        self.parting.discard(worker)
        if worker is self.successor:
            self.successor = None
        elif worker in self.starting:
            self.starting.remove(worker)
            return True
        for idle in (self.used, self.unused):
            if worker in idle:
                idle.remove(worker)
                return True
        return False

    def remove_free(self) -> list[Worker]:
        """Forget all that run no job, and answer them."""
        free = [*self.starting, *self.unused, *self.used]
        if self.successor is not None:
            free.append(self.successor)
        for worker in free:
            self.remove(worker)
        return free
