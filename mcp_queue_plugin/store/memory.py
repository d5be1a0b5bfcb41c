"""A store in dictionaries: nothing survives it, and every other store is compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.model import decide, log_limit, log_pages
from mcp_queue_plugin.model.admission import Limit, TallyKey, eviction_order, is_in, tally_keys
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Idempotency, Job, Submission
from mcp_queue_plugin.model.log_pages import LogExtent
from mcp_queue_plugin.model.log_pieces import LogPiece, LogPlace, StoredPiece
from mcp_queue_plugin.model.operations import Add, Adopt, Operation, Outcome, Sweep
from mcp_queue_plugin.model.places import place_of
from mcp_queue_plugin.model.queries import Counts, JobPage, JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.queues import QueueFigures, QueueState
from mcp_queue_plugin.model.retention import is_over, over_since
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.store.steps import Steps


class MemoryRecords:
    """Implements ``store.steps.Records`` as plainly as it can be said: what is asked for is searched for."""

    def __init__(self, clock: Clock, *, log_bytes: int) -> None:
        """Stamp changes with the time of ``clock`` and keep ``log_bytes`` bytes of each job's log."""
        self._clock = clock
        self._log_bytes = log_bytes
        self._version = 0
        self._last_uid = 0
        self._rank_time = 0.0
        self.jobs: dict[int, Job] = {}
        self.params: dict[int, bytes] = {}
        self.results: dict[int, bytes] = {}
        self.logs: dict[int, list[StoredPiece]] = {}
        self.keys: dict[int, tuple[Submission, Idempotency]] = {}
        self.answers: dict[int, dict[str, GivenAnswer]] = {}
        self.states: dict[str, QueueState] = {}

    def moment(self) -> Moment:
        """When the next change happens, and the version it will have."""
        now = self._clock()
        return Moment(now, max(self._rank_time, now), self._version + 1)

    def find(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        # Of all that had the id only the last can live: an id is free again once its job is a tombstone.
        return max((job for job in self.jobs.values() if job.job_id == job_id), key=lambda job: job.uid, default=None)

    def at(self, uid: int) -> Job | None:
        """The record with this uid."""
        return self.jobs.get(uid)

    def same(self, submission: Submission) -> tuple[Job, str] | None:
        """The job that has the submission's idempotency key, and its fingerprint."""
        for uid, (other, idempotency) in self.keys.items():
            if _identity(submission, submission.idempotency) == _identity(other, idempotency):
                return self.jobs[uid], idempotency.fingerprint
        return None

    def oldest(self, limit: Limit, owner: str | None, count: int) -> Sequence[Job]:
        """The first of those that ``limit`` counts and ``owner`` owns, in ``eviction_order``."""
        found = (job for job in self.jobs.values() if job.owner == owner and is_in(job, limit))
        return sorted(found, key=eviction_order)[:count]

    def due(self, count: int) -> Sequence[Job]:
        """The scheduled jobs whose time has come, in the order of their times."""
        now = self._clock()
        due = ((job.not_before, job.uid, job) for job in self.within(State.SCHEDULED) if job.not_before is not None)
        return [job for not_before, _, job in sorted(due, key=lambda entry: entry[:2]) if not_before <= now][:count]

    def later(self) -> Sequence[Job]:
        """The scheduled jobs whose time has not come, the oldest first."""
        now = self._clock()
        return [job for job in self.within(State.SCHEDULED) if job.not_before is not None and job.not_before > now]

    def over(self, sweep: Sweep, count: int) -> Sequence[Job]:
        """The jobs that ``sweep`` removes, those first that are over longest."""
        now = self._clock()
        found = (job for job in self.jobs.values() if is_over(job, sweep, now))
        return sorted(found, key=lambda job: (over_since(job), job.uid))[:count]

    def tally(self, limit: Limit) -> int:
        """How many jobs ``limit`` counts."""
        return self.tallies()[limit.key]

    def queue(self, name: str) -> QueueState:
        """The state of a queue."""
        return self.states.get(name) or QueueState(name=name)

    def new_uid(self) -> int:
        """A uid that was never given before."""
        self._last_uid += 1
        return self._last_uid

    def insert(self, job: Job, operation: Add | Adopt) -> None:
        """Keep a new job, its parameters and its idempotency key."""
        self._pass()
        self._version = job.version
        self.jobs[job.uid] = job
        self.params[job.uid] = operation.params
        if operation.submission.idempotency is not None:
            self.keys[job.uid] = operation.submission, operation.submission.idempotency

    def save(self, before: Job, decided: Job) -> Job:
        """Keep a changed record under the next version; a tombstone loses its documents."""
        self._pass()
        self._version += 1
        job = msgspec.structs.replace(decided, version=self._version, changed_at=self._clock())
        self.jobs[before.uid] = job
        if job.state is State.DELETED:
            self._forget_documents(job)
        return job

    def append_log(self, job: Job, pieces: Sequence[LogPiece]) -> None:
        """Keep what an attempt wrote, and drop the oldest of it beyond the limit."""
        log = self.logs.get(job.uid, [])
        end = log[-1].end if log else LogPlace()
        added, first_position = log_limit.append(end, pieces, log_bytes=self._log_bytes)
        self.logs[job.uid] = [piece for piece in log if piece.position >= first_position] + added

    def put_result(self, job: Job, result: bytes | None) -> None:
        """Keep a job's result in place of the one before; None for none."""
        self.results.pop(job.uid, None)
        if result is not None:
            self.results[job.uid] = result

    def answer(self, job: Job, key: str) -> GivenAnswer | None:
        """What was answered to a question of a job that ``has_answers``."""
        return self.answers[job.uid].get(key)

    def put_answer(self, job: Job, key: str, answer: GivenAnswer) -> None:
        """Keep the answer to a question of a job, until its documents go."""
        self.answers.setdefault(job.uid, {})[key] = answer

    def put_queue(self, state: QueueState) -> None:
        """Keep the state of a queue."""
        self.states[state.name] = state

    def remove(self, job: Job) -> None:
        """Forget a job with all its documents."""
        self._pass()
        del self.jobs[job.uid]
        self._forget_documents(job)

    def within(self, state: State) -> list[Job]:
        """All jobs in a state."""
        return [job for job in self.jobs.values() if job.state is state]

    def tallies(self) -> Counter[TallyKey]:
        """How many jobs count where."""
        return Counter(key for job in self.jobs.values() for key in tally_keys(job))

    def _pass(self) -> None:
        """Take note of the time: a change happens."""
        self._rank_time = max(self._rank_time, self._clock())

    def _forget_documents(self, job: Job) -> None:
        for documents in (self.params, self.results, self.logs, self.keys, self.answers):
            documents.pop(job.uid, None)


class MemoryStore:
    """Implements ``store.protocol.JobStore``.

    What is in it lives as long as the object: after ``close`` it can be opened again, which recovers it like any other
    store.
    """

    def __init__(self, clock: Clock, *, log_bytes: int = log_limit.LOG_BYTES) -> None:
        """Stamp changes with the time of ``clock`` and keep ``log_bytes`` bytes of each job's log."""
        self._records = MemoryRecords(clock, log_bytes=log_bytes)
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        """Nothing is durable here."""
        return Capabilities(backend="memory", durable=False)

    async def open(self, in_process: Collection[str] = ()) -> Sequence[Job]:
        """Recover what the last owner left between two steps."""
        now, steps = self._clock(), Steps(self._records)
        jobs = (job for job in self._records.jobs.values() if job.job_id not in in_process)
        left = [job for job in jobs if decide.needs_recovery(job, now=now)]
        return steps.recover(left, list(self._records.states.values()))

    async def close(self) -> None:
        """Nothing to give back."""

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply ``operations`` in order; nothing here can fail half-way."""
        steps = Steps(self._records)
        return [steps.apply(operation) for operation in operations]

    async def get(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        return self._records.find(job_id)

    async def result(self, uid: int) -> bytes | None:
        """The result document of a job."""
        return self._records.results.get(uid)

    async def log_page(self, uid: int, query: LogQuery) -> LogPage:
        """One page of what a job wrote."""
        log = self._records.logs.get(uid, [])
        extent = LogExtent(log[0].begin, log[-1].end) if log else LogExtent()
        pieces = [piece for piece in log if query.stream in (None, piece.stream)]
        return log_pages.page(extent, pieces[::-1] if query.tail else pieces, query)

    async def list_jobs(self, query: JobQuery) -> JobPage:
        """One page of the jobs that match."""
        newest_first = query.order == "newest"
        found = (job for job in self._records.jobs.values() if _matches(job, query))
        matching = sorted(found, key=lambda job: job.uid, reverse=newest_first)
        rest = [job for job in matching if _is_after(job, query)]
        jobs = tuple(rest[: query.limit])
        next_uid = jobs[-1].uid if len(rest) > len(jobs) else None
        return JobPage(jobs=jobs, total_count=len(matching), next_uid=next_uid)

    async def counts(self) -> Counts:
        """How many jobs stand in each state."""
        return Counts(by_state=dict(Counter(job.state.value for job in self._records.jobs.values())))

    async def queued(self, queue: str, limit: int) -> Sequence[tuple[Job, bytes]]:
        """The queued jobs of a queue whose turn comes next, with their parameters."""
        queued = [job for job in self._records.within(State.QUEUED) if job.options.queue == queue]
        queued.sort(key=lambda job: job.place)
        return [(job, self._records.params[job.uid]) for job in queued[:limit]]

    async def oldest_queued_at(self) -> float | None:
        """Since when the queued job waits that waits longest."""
        since = (job.queued_at for job in self._records.within(State.QUEUED))
        return min((moment for moment in since if moment is not None), default=None)

    async def next_due(self) -> float | None:
        """When the next scheduled job is due."""
        due = (job.not_before for job in self._records.within(State.SCHEDULED))
        return min((moment for moment in due if moment is not None), default=None)

    async def positions(self, jobs: Sequence[Job]) -> Mapping[int, int]:
        """At which place of its queue each pending job stands, from 1, or would if it were queued now."""
        queued, rank_time = self._records.within(State.QUEUED), self._records.moment().rank_time
        return {job.uid: 1 + sum(_goes_before(other, job, rank_time) for other in queued) for job in jobs}

    async def queues(self) -> Mapping[str, QueueFigures]:
        """Every queue that has a state or a job that has not ended."""
        tallies, states = self._records.tallies(), self._records.states
        names = {*states, *(name for kind, name in tallies if kind in ("pending", "running"))}
        return {
            name: QueueFigures(
                state=self._records.queue(name), pending=tallies["pending", name], running=tallies["running", name]
            )
            for name in names
        }


def _identity(submission: Submission, idempotency: Idempotency | None) -> tuple[str | None, ...]:
    return submission.owner, submission.subject, None if idempotency is None else idempotency.key


def _goes_before(other: Job, job: Job, rank_time: float) -> bool:
    return other.options.queue == job.options.queue and other.place < place_of(job, rank_time)


def _matches(job: Job, query: JobQuery) -> bool:
    status_matches = job.state is not State.DELETED if query.status is None else job.status is query.status
    return status_matches and all(
        asked is None or value == asked
        for value, asked in (
            (job.options.queue, query.queue),
            (job.job_type, query.job_type),
            (job.command, query.command),
            (job.owner, query.owner),
        )
    )


def _is_after(job: Job, query: JobQuery) -> bool:
    if query.after_uid is None:
        return True
    return job.uid < query.after_uid if query.order == "newest" else job.uid > query.after_uid
