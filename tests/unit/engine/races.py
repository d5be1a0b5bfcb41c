"""Races for jobs: many clients at random moments, and what has to hold of whatever comes of it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.errors import JobNotFound, JobStateInvalid, QueueError, StoreUnavailable
from mcp_queue_plugin.model.admission import EVICTED
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.operations import Operation, Outcome
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.states import ENDED_STATES, State
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.unit.engine import racing
from tests.unit.engine.harness import WAIT_SECONDS, Host, answered, hosting
from tests.unit.workers.harness import until

LONGEST_PAUSE_SECONDS = 0.06
ENDS = ("stop", "delete")
GONE = (State.STOPPED, State.DELETED)


class SlowStore(SqliteStore):
    """A store whose commits take their time, before they hold and after, and of which a share fails."""

    def __init__(self, path: Path, chance: random.Random, failing: float = 0.0) -> None:
        super().__init__(path, durability="normal", clock=system_clock())
        self._chance = chance
        self._failing = failing

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        await self._dawdle()
        if self._chance.random() < self._failing:
            raise StoreUnavailable("no luck with the disk")
        outcomes = await super().apply(operations)
        await self._dawdle()
        return outcomes

    async def _dawdle(self) -> None:
        if self._chance.random() < 0.5:
            await asyncio.sleep(self._chance.uniform(0, 0.01))


class Said(NamedTuple):
    """What a client was told, and when."""

    verb: str
    answer: Job | QueueError
    at: float


class Racer:
    """One job, those who interfere with it, and those who watch it."""

    def __init__(self, host: Host, chance: random.Random, job_id: str, folder: Path, verbs: Sequence[str]) -> None:
        self.host = host
        self.job_id = job_id
        self.said: list[Said] = []
        self._verbs = verbs
        self._chance = chance
        self._runs = folder / f"{job_id}.runs"
        self._task = chance.choice((*racing.BRIEF, *racing.ENDLESS))

    async def race(self) -> None:
        """Hand the job in, let all at it, and see it through to its end."""
        chance = self._chance
        what = Submission(
            job_id=self.job_id,
            job_type="race",
            target=f"{racing.__name__}:{self._task.__name__}",
            options=self._options(),
        )
        value = {"runs": str(self._runs), "seconds": chance.choice((0, chance.uniform(0, 0.02)))}
        started = chance.random() < 0.85
        while not await self._submitted(what, json.dumps(value).encode(), start=started):
            pass
        first = "start" if not started and chance.random() < 0.5 else chance.choice(self._verbs)
        others = [chance.choice(self._verbs) for _ in range(chance.choice((0, 0, 1, 2)))]
        await asyncio.gather(self._watch_for_end(), self._follow(), self._interfere_all([first, *others]))

    async def _submitted(self, what: Submission, params: bytes, *, start: bool) -> bool:
        try:
            await answered(lambda reply: self.host.engine.submit(what, params, start=start, reply=reply))
        except StoreUnavailable:
            return False
        return True

    def _options(self) -> JobOptions:
        chance = self._chance
        return JobOptions(
            delay_seconds=chance.choice((0, 0, 0, chance.uniform(0, LONGEST_PAUSE_SECONDS))),
            max_retries=chance.choice((0, 2)),
            retry_base_seconds=LONGEST_PAUSE_SECONDS,
            max_crashes=chance.choice((1, 2)),
            on_interrupt=chance.choice(("retry", "fail")),
            stop_grace_seconds=chance.choice((0, 0.05, 0.2)),
            priority=chance.choice((0, 0, 1)),
        )

    async def _interfere_all(self, verbs: Sequence[str]) -> None:
        """Ask for all of ``verbs``, and at last for the end, so that there is one."""
        await asyncio.gather(*(self._interfere(verb) for verb in verbs))
        await asyncio.sleep(self._chance.uniform(0, LONGEST_PAUSE_SECONDS * 4))
        while not await self._ask(self._chance.choice(ENDS)):
            pass

    async def _interfere(self, verb: str) -> None:
        """Ask for ``verb`` at some moment: now, after a while, or just after the job has begun."""
        chance = self._chance
        moment = chance.choice(("now", "later", "running", "running"))
        if moment == "running":
            await self.host.status(self.job_id, wait_seconds=chance.uniform(0, LONGEST_PAUSE_SECONDS * 3))
        if moment != "now":
            await asyncio.sleep(chance.choice((0, chance.uniform(0, LONGEST_PAUSE_SECONDS))))
        await self._ask(verb)

    async def _ask(self, verb: str) -> bool:
        """Ask for it; False if the store failed, and nothing came of it."""
        how = {"grace_seconds": self._chance.choice((None, 0, 0.02, 5)), "wait_seconds": self._chance.choice((None, 0))}
        try:
            answer: Job | QueueError = (
                await getattr(self.host, verb)(self.job_id, **(how if verb in ENDS else {}))
            ).job
        except (JobNotFound, JobStateInvalid) as refusal:
            answer = refusal
        except StoreUnavailable:
            return False
        self.said.append(Said(verb, answer, time.monotonic()))
        return True

    async def _watch_for_end(self) -> None:
        told: list[Any] = []
        await self.host.engine.reading.status(
            self.job_id, wait_seconds=WAIT_SECONDS, until="end", known_version=None, reply=told.append
        )
        await until(lambda: told)
        assert told[0].job.state in ENDED_STATES, told
        self._told_of_end = told

    async def _follow(self) -> None:
        """Poll from change to change; none comes twice, and none goes back."""
        answer = await self.host.status(self.job_id)
        while answer.job.state not in ENDED_STATES:
            known = answer.job.version
            answer = await self.host.status(self.job_id, wait_seconds=WAIT_SECONDS, known_version=known)
            assert answer.job.version > known, (answer.job, known)

    async def check(self) -> None:
        """What must hold now that all is over."""
        job = (await self.host.end(self.job_id)).job
        if job.delete_requested:
            # The deletion follows in a commit of its own, which a store that fails now and then lets wait.
            job = (await self.host.status(self.job_id, wait_seconds=WAIT_SECONDS, until="deleted")).job
        facts = (job, self.said, self._task.__name__, self.runs)
        assert len(self._told_of_end) == 1, facts
        attempts = [attempt for attempt, _ in self.runs]
        assert len(attempts) == len(set(attempts)), facts
        events = [state for job_id, state in self.host.ended if job_id == self.job_id]
        retries = sum(said.verb == "retry" and isinstance(said.answer, Job) for said in self.said)
        assert len(events) == 1 + retries, facts
        assert events[-1] == job.state or job.state is State.DELETED, facts
        if not retries:
            self._check_one_life(job, facts)

    def _check_one_life(self, job: Job, facts: object) -> None:
        for said in self.said:
            assert self._is_true(said, job), (said, facts)
        evicted = job.reason == EVICTED
        assert all(attempt <= job.attempt + evicted for attempt, _ in self.runs), facts
        over = [said.at for said in self.said if isinstance(said.answer, Job) and said.answer.state in GONE]
        assert not over or evicted or all(began < min(over) for _, began in self.runs), facts

    @property
    def runs(self) -> list[tuple[int, float]]:
        """The attempts that have begun, each with the time."""
        return runs_in(self._runs)

    def _is_true(self, said: Said, job: Job) -> bool:
        """Whether what a client was told agrees with how it all ended."""
        match said:
            case Said(verb="start" | "retry"):
                return True
            case Said(answer=JobNotFound()):
                return said.verb != "delete" and job.state is State.DELETED
            case Said(answer=JobStateInvalid() as refusal):
                return said.verb == "stop" and job.state in (refusal.data["current_status"], State.DELETED)
            case Said(verb="delete", answer=Job() as answer):
                leaving = answer.state in (State.STOPPING, State.STOPPED) and answer.delete_requested
                return job.state is State.DELETED and (answer.state is State.DELETED or leaving)
            case Said(answer=Job() as answer):
                return job.state in GONE and answer.state in (State.STOPPED, State.STOPPING, State.DELETED)
        return False


def runs_in(path: Path) -> list[tuple[int, float]]:
    """The runs that a job has noted: their attempts, and when they began."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(int(attempt), float(began)) for attempt, began in lines]


@asynccontextmanager
async def racetrack(store: JobStore, **changes: Any) -> AsyncIterator[Host]:
    """An engine with workers in which nothing may go wrong unseen, and of which nothing may be left."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with hosting(store, max_concurrent_jobs=4, min_workers=2, **changes) as host:
        yield host
        await until(lambda: not left_behind(host))
        assert not left_behind(host)
    assert not failures


def left_behind(host: Host) -> dict[str, object]:
    """What the engine still holds of jobs, by where."""
    engine = host.engine
    dispatcher, adopted = engine._dispatcher, engine._adopted
    held: dict[str, Any] = {
        "watchers": engine.reading.watchers._watches,
        "running": dispatcher._running,
        "reserved": dispatcher._reserved,
        "claims": dispatcher._claims,
        "reports": (*dispatcher._reports._changes, *dispatcher._reports._logs, *dispatcher._reports._backlogs),
        "busy": dispatcher.pool._members.busy,
        "lanes": {lane.state.name: lane.running for lane in engine._lanes if lane.running},
        "waiting": {lane.state.name: lane.waiting._jobs for lane in engine._lanes if lane.waiting._jobs},
        "leaving": engine._stopping._leaving,
        "adopted": (*adopted._jobs, *adopted._endings, *adopted._adopting),
        "entries": engine._committer._entries,
        "log watchers": engine.reading._log_watchers._watches,
    }
    return {name: what for name, what in held.items() if what}


def counts(racers: Sequence[Racer]) -> Counter[str]:
    """What the races came to, to see that they were races."""
    return Counter(
        f"{said.verb}: {said.answer.state if isinstance(said.answer, Job) else type(said.answer).__name__}"
        for racer in racers
        for said in racer.said
    )
