"""Every operation as a sequence of reads, decisions and writes: once, for all stores that write records one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, assert_never

import msgspec

from mcp_queue_plugin.model import decide, questions
from mcp_queue_plugin.model.admission import EVICTED, Full, Limit, make_room
from mcp_queue_plugin.model.decide import Moment
from mcp_queue_plugin.model.job import Job, Submission
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    AnswerQuestion,
    Applied,
    Ask,
    ById,
    ByToken,
    Claim,
    Delete,
    Done,
    Due,
    Finish,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Report,
    Retry,
    SetQueue,
    Start,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.queue_history import after_attempt, after_interruption
from mcp_queue_plugin.model.queues import QueueState, at_opening
from mcp_queue_plugin.model.states import State


class Records(Protocol):
    """What the steps read and write, inside one transaction."""

    def moment(self) -> Moment:
        """When the next change happens, and the version it will have."""
        ...

    def find(self, job_id: str) -> Job | None:
        """The record under a public id: the living one, or else the last tombstone."""
        ...

    def at(self, uid: int) -> Job | None:
        """The record with this uid."""
        ...

    def same(self, submission: Submission) -> tuple[Job, str] | None:
        """The job that has the submission's idempotency key, and its fingerprint."""
        ...

    def oldest(self, limit: Limit, owner: str | None, count: int) -> Sequence[Job]:
        """The first of those that ``limit`` counts and ``owner`` owns, in ``eviction_order``."""
        ...

    def due(self, count: int) -> Sequence[Job]:
        """The scheduled jobs whose time has come, in the order of their times."""
        ...

    def later(self) -> Sequence[Job]:
        """The scheduled jobs whose time has not come, the oldest first."""
        ...

    def over(self, sweep: Sweep, count: int) -> Sequence[Job]:
        """The jobs that ``sweep`` removes, those first that are over longest."""
        ...

    def tally(self, limit: Limit) -> int:
        """How many jobs ``limit`` counts."""
        ...

    def queue(self, name: str) -> QueueState:
        """The state of a queue."""
        ...

    def new_uid(self) -> int:
        """A uid that was never given before."""
        ...

    def insert(self, job: Job, operation: Add | Adopt) -> None:
        """Keep a new job, its parameters and its idempotency key."""
        ...

    def save(self, before: Job, decided: Job) -> Job:
        """Keep a changed record under the next version; a tombstone loses its documents."""
        ...

    def append_log(self, job: Job, pieces: Sequence[LogPiece]) -> None:
        """Keep what an attempt wrote."""
        ...

    def put_result(self, job: Job, result: bytes | None) -> None:
        """Keep a job's result in place of the one before; None for none."""
        ...

    def answer(self, job: Job, key: str) -> GivenAnswer | None:
        """What was answered to a question of a job that ``has_answers``."""
        ...

    def put_answer(self, job: Job, key: str, answer: GivenAnswer) -> None:
        """Keep the answer to a question of a job, until its documents go."""
        ...

    def put_queue(self, state: QueueState) -> None:
        """Keep the state of a queue."""
        ...

    def remove(self, job: Job) -> None:
        """Forget a job with all its documents."""
        ...


class Steps:
    """Applies operations to records, one after the other."""

    def __init__(self, records: Records) -> None:
        """Work on ``records``."""
        self._records = records

    def apply(self, operation: Operation) -> Outcome:
        """Apply one operation; a refused one changes nothing."""
        match operation:
            case Add() | Adopt():
                return self._add(operation)
            case Claim() | Report() | Finish():
                return self._change_by_token(operation)
            case Ask():
                return self._ask(operation)
            case AnswerQuestion():
                return self._answer(operation)
            case Start() | Stop() | Delete():
                return self._change_by_id(operation)
            case Retry():
                return self._retry(operation)
            case Due():
                return self._due(operation)
            case SetQueue(name=name, paused=paused):
                state = self._records.queue(name)
                return Done(queue=self._keep_changed(state, msgspec.structs.replace(state, paused=paused)))
            case Sweep():
                return self._sweep(operation)
            case _:
                assert_never(operation)

    def recover(self, jobs: Iterable[Job], states: Iterable[QueueState]) -> list[Job]:
        """Settle ``jobs``, which were left between two steps, and the ``states`` of all queues."""
        now = self._records.moment().now
        for state in states:
            self._keep_changed(state, at_opening(state, now))
        return [self._recover(job, now) for job in jobs]

    def _recover(self, job: Job, now: float) -> Job:
        recovered = self._records.save(job, decide.recover(job, now=now))
        if decide.was_interrupted(job):
            state = self._records.queue(job.options.queue)
            self._keep_changed(state, after_interruption(state, job, recovered, now))
        return recovered

    def _add(self, operation: Add | Adopt) -> Outcome:
        submission = operation.submission
        same = None if submission.idempotency is None else self._records.same(submission)
        if same is not None and submission.idempotency is not None:
            job, fingerprint = same
            if fingerprint != submission.idempotency.fingerprint:
                return Refused(Refusal.IDEMPOTENCY_CONFLICT, job)
            wants_start = isinstance(operation, Add) and operation.start and job.state is State.CREATED
            return self._change_by_id(Start(job.job_id)) if wants_start else Applied(job, changed=False)
        existing = self._records.find(submission.job_id)
        if existing is not None and existing.state is not State.DELETED:
            return Refused(Refusal.ALREADY_EXISTS, existing)
        evicted = self._make_room(operation.limits, submission.owner) if isinstance(operation, Add) else ()
        if isinstance(evicted, Refused):
            return evicted
        job = decide.add(operation, uid=self._records.new_uid(), at=self._records.moment())
        self._records.insert(job, operation)
        return Applied(job, evicted=evicted)

    def _make_room(self, limits: Sequence[Limit], owner: str | None) -> tuple[Applied, ...] | Refused:
        if not limits:
            return ()
        victims = make_room(limits, self._records.tally, lambda limit, count: self._records.oldest(limit, owner, count))
        if isinstance(victims, Full):
            return Refused(Refusal.QUEUE_FULL, full=victims)
        return tuple(self._evict(job) for job in victims)

    def _evict(self, job: Job) -> Applied:
        stopped = decide.stop(job, reason=EVICTED, now=self._records.moment().now)
        assert isinstance(stopped, Job)
        return Applied(self._records.save(job, stopped), before=job.state)

    def _retry(self, operation: Retry) -> Outcome:
        job = self._named(operation)
        if job is None or job.state is State.DELETED:
            return Refused(Refusal.NOT_FOUND)
        if not decide.may_retry(job):
            return Refused(Refusal.STATE_INVALID, job)
        evicted = self._make_room(operation.limits, job.owner)
        if isinstance(evicted, Refused):
            return evicted
        self._records.put_result(job, None)
        retried = self._records.save(job, decide.retry(job, at=self._records.moment()))
        return Applied(retried, before=job.state, evicted=evicted)

    def _change_by_id(self, operation: ById) -> Outcome:
        job = self._named(operation)
        return self._settle(job, decide.by_id(operation, job, at=self._records.moment()))

    def _named(self, operation: ById | Retry | AnswerQuestion) -> Job | None:
        job = self._records.find(operation.job_id)
        return job if job is not None and job.is_visible_to(operation.owner) else None

    def _change_by_token(self, operation: ByToken) -> Outcome:
        job, now = self._records.at(operation.token.uid), self._records.moment().now
        outcome = self._settle(job, decide.by_token(operation, job, now=now))
        if job is None or isinstance(operation, Claim) or not isinstance(outcome, Applied):
            return outcome
        if operation.log:
            self._records.append_log(outcome.job, operation.log)
        if isinstance(operation, Report):
            return outcome
        if outcome.job.has_result:
            self._records.put_result(outcome.job, operation.ending.result)
        state = self._records.queue(job.options.queue)
        noted = after_attempt(state, job, outcome.job, operation.ending, decide.ended_at(operation, now=now))
        return msgspec.structs.replace(outcome, queue=self._keep_changed(state, noted))

    def _ask(self, operation: Ask) -> Outcome:
        job = self._records.at(operation.token.uid)
        answer = self._answer_to(job, operation.question.key)
        outcome = self._settle(job, decide.ask(operation, job, is_answered=answer is not None))
        return msgspec.structs.replace(outcome, answer=answer) if isinstance(outcome, Applied) else outcome

    def _answer(self, operation: AnswerQuestion) -> Outcome:
        job = self._named(operation)
        if job is None or job.state is State.DELETED:
            return Refused(Refusal.NOT_FOUND)
        if (first := self._answer_to(job, operation.key)) is not None:
            return Applied(job, changed=False, before=job.state, answer=first)
        answered = questions.answer(job, operation.key, operation.answer, operation.schema)
        if answered is None:
            return Refused(Refusal.QUESTION_NOT_FOUND, job)
        self._records.put_answer(job, operation.key, operation.answer)
        return Applied(self._records.save(job, answered), before=job.state, answer=operation.answer)

    def _answer_to(self, job: Job | None, key: str) -> GivenAnswer | None:
        # Most jobs have none: then nothing is read.
        return self._records.answer(job, key) if job is not None and job.has_answers else None

    def _due(self, operation: Due) -> Done:
        begun_again = self._begin_delays_again() if operation.clock_was_set_back else ()
        due = self._records.due(operation.limit + 1)
        queued = tuple(
            Applied(self._records.save(job, decide.due(job, at=self._records.moment())), before=job.state)
            for job in due[: operation.limit]
        )
        return Done(changed=(*begun_again, *queued), more=len(due) > operation.limit)

    def _begin_delays_again(self) -> tuple[Applied, ...]:
        now = self._records.moment().now
        return tuple(
            Applied(self._records.save(job, decide.recover(job, now=now)), before=job.state)
            for job in self._records.later()
            if decide.waits_too_long(job, now=now)
        )

    def _sweep(self, operation: Sweep) -> Done:
        over = self._records.over(operation, operation.limit + 1)
        for job in over[: operation.limit]:
            self._records.remove(job)
        return Done(removed=min(len(over), operation.limit), more=len(over) > operation.limit)

    def _keep_changed(self, before: QueueState, state: QueueState) -> QueueState:
        if state != before:
            self._records.put_queue(state)
        return state

    def _settle(self, job: Job | None, decided: Job | Refused) -> Outcome:
        if isinstance(decided, Refused):
            return decided
        if job is None or decided == job:
            return Applied(decided, changed=False)
        return Applied(self._records.save(job, decided), before=job.state)
