"""Whatever is done to them, and whatever the clock does, SqliteStore and MemoryStore answer and hold the same."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
from hypothesis import event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mcp_queue_plugin.model.admission import Limit, is_in
from mcp_queue_plugin.model.job import Job, Question, Token
from mcp_queue_plugin.model.log_pieces import LogPiece
from mcp_queue_plugin.model.operations import (
    Add,
    AnswerQuestion,
    Applied,
    Ask,
    Changes,
    Claim,
    Delete,
    Done,
    Due,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Outcome,
    Refused,
    Report,
    Retry,
    Start,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.queries import JobQuery, LogPage, LogQuery
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.states import ENDED_STATES, PENDING_STATES, RUNNING_STATES, State
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract import strategies
from tests.contract.coherence import assert_coherent
from tests.contract.samples import ManualClock, claim_of, everything
from tests.contract.strategies import HOUR, QUEUES

ValueT = TypeVar("ValueT")

ENDED_BADLY = (State.FAILED, State.STOPPED)
LOG_BYTES = 320

choices = st.integers(0, 5)


class Equivalence(RuleBasedStateMachine):
    """The same steps on both stores; the oracle is the one in memory."""

    reached: ClassVar[Counter[str]] = Counter()
    """How often something worth a test has happened, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.runner = asyncio.Runner()
        self.memory = MemoryStore(self.clock, log_bytes=LOG_BYTES)
        self.sqlite = self.new_sqlite()
        self.numbers = itertools.count(1)
        self.on_both(lambda store: store.open())
        self.content = self.on_both(everything)
        """All that could be read at the last look."""

    def new_sqlite(self) -> SqliteStore:
        # So few records at hand that many are not.
        return SqliteStore(
            self.folder / "jobs.db", durability="normal", clock=self.clock, log_bytes=LOG_BYTES, recent_jobs=2
        )

    def run(self, coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
        return self.runner.run(coroutine)

    def on_both(self, ask: Callable[[JobStore], Coroutine[Any, Any, ValueT]]) -> ValueT:
        expected, found = self.run(_both(ask(self.memory), ask(self.sqlite)))
        assert found == expected
        return expected

    def reach(self, what: str) -> None:
        event(what)
        self.reached[what] += 1

    def apply(self, operations: Sequence[Operation]) -> None:
        before = self.content
        outcomes = self.on_both(lambda store: store.apply(operations))
        for operation, outcome in zip(operations, outcomes, strict=True):
            self.take_note(operation, outcome)
        self.look()
        if all(isinstance(outcome, Refused) for outcome in outcomes):
            assert self.content == before, "a refused operation changes nothing"
        if len(operations) == 1:
            self.check_limits(operations[0], outcomes[0])

    def take_note(self, operation: Operation, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self.reach(f"{type(operation).__name__} refused: {outcome.refusal}")
            return
        if isinstance(outcome, Done):
            if outcome.changed or outcome.removed or outcome.queue:
                self.reach(type(operation).__name__)
            if any(change.job.state is State.SCHEDULED for change in outcome.changed):
                self.reach("a delay began again")
            return
        job = outcome.job
        if isinstance(operation, Add) and not outcome.changed:
            self.reach("the same job again")
        if isinstance(operation, Finish) and job.state is State.SCHEDULED:
            self.reach("scheduled for a retry")
        if isinstance(operation, Retry):
            self.reach("retried")
        self.take_note_of_question(operation, outcome)
        for gone in outcome.evicted:
            self.reach(f"evicted: {gone.before}")
            assert gone.job.owner == job.owner, "nobody goes for another owner"
            assert gone.job.uid != job.uid

    def take_note_of_question(self, operation: Operation, outcome: Applied) -> None:
        if isinstance(operation, Ask | AnswerQuestion):
            self.reach(f"{type(operation).__name__}: {outcome.before} to {outcome.job.state}")
        if isinstance(operation, Ask) and outcome.answer is not None:
            self.reach(f"asked again in attempt {min(outcome.job.attempt, 2)}")

    def check_limits(self, operation: Operation, outcome: Outcome) -> None:
        if isinstance(operation, Add) and isinstance(outcome, Applied) and outcome.before is not None:
            # The same submission again has only started the job.
            return
        if isinstance(operation, Add | Retry) and isinstance(outcome, Applied) and outcome.changed:
            for limit in operation.limits:
                count = sum(is_in(job, limit) for job in self.content.jobs)
                assert count <= limit.max_jobs or not is_in(outcome.job, limit)

    def look(self, *, removed: int = 0) -> None:
        """Compare all that can be read, and find every job that was there before, but for those just removed."""
        before, self.content = self.content, self.on_both(everything)
        uids = {job.uid for job in self.content.jobs}
        lost = [job for job in before.jobs if job.uid not in uids]
        assert len(lost) == removed
        assert {job.state for job in lost} <= ENDED_STATES

    def teardown(self) -> None:
        self.run(self.sqlite.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    @initialize(
        operations=st.lists(strategies.unlimited_adds, min_size=1, max_size=6), limit=st.sampled_from([9, 1, 0])
    )
    def begin(self, operations: list[Add], limit: int) -> None:
        """Nothing much happens in an empty store."""
        self.apply([self.fresh(operation) for operation in operations])
        self.claim(limit)

    @rule(operation=strategies.limited_adds, fresh=st.sampled_from([True, True, True, False]))
    def add(self, operation: Add, fresh: bool) -> None:
        self.apply([self.fresh(operation) if fresh else operation])

    def fresh(self, operation: Add) -> Add:
        """The same with an id that no job has had."""
        new = msgspec.structs.replace(operation.submission, job_id=f"job {next(self.numbers)}")
        return msgspec.structs.replace(operation, submission=new)

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(operation=strategies.unlimited_adds)
    def add_in_place_of_all_others(self, operation: Add) -> None:
        only_one = Limit(scope="all", max_jobs=1)
        self.apply([msgspec.structs.replace(self.fresh(operation), limits=(only_one,))])

    @precondition(lambda self: self.in_states(State))
    @rule(choice=choices, change=st.sampled_from([Start, Stop, Delete]))
    def change(self, choice: int, change: type[Start | Stop | Delete]) -> None:
        self.apply([change(self.one_of(choice, State).job_id)])

    @precondition(lambda self: self.in_states(ENDED_BADLY))
    @rule(choice=choices, limits=strategies.limits)
    def retry(self, choice: int, limits: tuple[Limit, ...]) -> None:
        self.apply([Retry(job_id=self.one_of(choice, ENDED_BADLY).job_id, limits=limits)])

    @rule(operations=st.lists(strategies.operations, min_size=2, max_size=5))
    def apply_group(self, operations: list[Operation]) -> None:
        self.apply(operations)

    @precondition(lambda self: self.in_states([State.QUEUED]))
    @rule(limit=st.sampled_from([9, 1]))
    def claim(self, limit: int) -> None:
        heads = [self.on_both(partial(_queued, queue, limit)) for queue in self.content.queued]
        self.apply([claim_of(job) for queued in heads for job in queued])

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(choice=choices, changes=strategies.changes, log=strategies.logs)
    def report(self, choice: int, changes: Changes, log: tuple[LogPiece, ...]) -> None:
        token = self.one_of(choice, RUNNING_STATES).token
        self.apply([Report(token=token, changes=changes, log=log)])
        self.look_into_log(token.uid, LogQuery())

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(choice=choices, question=strategies.questions, changes=strategies.changes)
    def ask(self, choice: int, question: Question, changes: Changes) -> None:
        job = self.one_of(choice, RUNNING_STATES)
        asked = msgspec.structs.replace(question, attempt=job.attempt)
        self.apply([Ask(token=job.token, question=asked, changes=changes)])

    @precondition(lambda self: self.in_states(State))
    @rule(choice=choices, of_one_that_asks=st.sampled_from([True, True, False]), answer=strategies.answers)
    def answer(self, choice: int, of_one_that_asks: bool, answer: AnswerQuestion) -> None:
        asking = [job for job in self.content.jobs if job.questions] if of_one_that_asks else []
        job = asking[choice % len(asking)] if asking else self.one_of(choice, State)
        self.apply([msgspec.structs.replace(answer, job_id=job.job_id, owner=None)])

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(
        choice=choices,
        questions=st.lists(strategies.questions, min_size=2, max_size=2),
        given=strategies.given_answers,
        is_due=st.booleans(),
    )
    def fail_with_a_question(self, choice: int, questions: list[Question], given: GivenAnswer, is_due: bool) -> None:
        """The second question is answered between two attempts; the next attempt asks all again."""
        job = self.one_of(choice, RUNNING_STATES)
        asked = [msgspec.structs.replace(question, attempt=job.attempt) for question in questions]
        self.apply([Ask(token=job.token, question=question) for question in asked])
        first, last = (
            AnswerQuestion(job_id=job.job_id, key=question.key, answer=given, schema=question.schema)
            for question in asked
        )
        self.apply([first])
        self.fail_one(job)
        if is_due and self.content.next_due is not None:
            self.queue_what_is_due(False)
        self.apply([last])
        self.claim(9)
        self.ask_again()

    def ask_again(self) -> None:
        for job in self.in_states(RUNNING_STATES):
            if job.has_answers and job.attempt > 1:
                again = [Question(key=key, prompt="again", attempt=job.attempt) for key in strategies.KEYS]
                self.apply([Ask(token=job.token, question=question) for question in again])

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(both=st.lists(choices, min_size=1, max_size=2), end=strategies.finishes)
    def finish(self, both: list[int], end: Finish) -> None:
        tokens = [self.one_of(choice, RUNNING_STATES).token for choice in both]
        self.apply([msgspec.structs.replace(end, token=token) for token in tokens])

    @precondition(lambda self: self.in_states([State.QUEUED]))
    @rule(choice=choices, end=strategies.finishes)
    def run_at_once(self, choice: int, end: Finish) -> None:
        """One write for the claim of an attempt and for its end."""
        token = claim_of(self.one_of(choice, [State.QUEUED])).token
        begun_at, ended_at = self.clock.now - 1.0, self.clock.now - 0.5
        self.apply([msgspec.structs.replace(end, token=token, begun_at=begun_at, ended_at=ended_at)])

    @precondition(lambda self: self.in_states(RUNNING_STATES))
    @rule(choice=choices)
    def fail(self, choice: int) -> None:
        """In a way that most jobs are tried again after."""
        self.fail_one(self.one_of(choice, RUNNING_STATES))

    def fail_one(self, job: Job) -> None:
        ending = Ending(kind=EndingKind.FAILED, error_kinds=("Rare", "Exception"))
        self.apply([Finish(token=job.token, ending=ending, jitter=1.0)])

    @precondition(lambda self: self.in_states(State))
    @rule(choice=choices, attempts=st.integers(-1, 2), end=strategies.finishes)
    def come_late(self, choice: int, attempts: int, end: Finish) -> None:
        """With the token of another attempt, or of a job that does not run."""
        job = self.one_of(choice, State)
        token = Token(uid=job.uid, attempt=job.attempt + attempts)
        question = Question(key="first", prompt="late", attempt=token.attempt)
        reports: list[Operation] = [Report(token=token, changes=end.changes), Ask(token=token, question=question)]
        self.apply([Claim(token), *reports, msgspec.structs.replace(end, token=token)])

    def one_of(self, choice: int, states: Iterable[State]) -> Job:
        """A job in one of ``states``."""
        found = self.in_states(states)
        return found[choice % len(found)]

    def in_states(self, states: Iterable[State]) -> list[Job]:
        among = frozenset(states)
        return [job for job in self.content.jobs if job.state in among]

    @rule(sweep=strategies.sweeps)
    def sweep(self, sweep: Sweep) -> None:
        (outcome,) = self.on_both(lambda store: store.apply([sweep]))
        assert isinstance(outcome, Done)
        self.take_note(sweep, outcome)
        self.look(removed=outcome.removed)

    @precondition(lambda self: self.in_states([State.SCHEDULED]))
    @rule(clock_was_set_back=st.booleans())
    def queue_what_is_due(self, clock_was_set_back: bool) -> None:
        assert self.content.next_due is not None
        self.clock.now = self.clock.now - HOUR if clock_was_set_back else max(self.clock.now, self.content.next_due)
        self.apply([Due(9, clock_was_set_back)])

    @precondition(lambda self: self.in_states([State.SCHEDULED]))
    @rule()
    def set_the_clock_back_and_notice(self) -> None:
        self.clock.now -= HOUR
        self.apply([Due(9, clock_was_set_back=True)])
        delays = [job for job in self.in_states([State.SCHEDULED]) if job.options.run_at is None]
        assert all(job.queued_at is not None and job.queued_at <= self.clock.now for job in delays)

    @rule(seconds=st.floats(0.001, 100) | st.sampled_from([HOUR, -HOUR]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.now += seconds
        self.reach("time went back" if seconds < 0 else "time passed")
        self.look()

    @precondition(lambda self: self.in_states([State.SCHEDULED]))
    @rule()
    def set_the_clock_back_and_restart(self) -> None:
        self.restart(-HOUR)

    @rule(seconds=st.sampled_from([0.0, 0.0, HOUR, -HOUR]))
    def restart(self, seconds: float) -> None:
        self.clock.now += seconds
        self.run(self.sqlite.close())
        self.sqlite = self.new_sqlite()
        recovered = self.on_both(lambda store: store.open())
        for job in recovered:
            self.reach(f"recovered: {job.state}")
        self.look()

    @rule(query=strategies.queries)
    def list_jobs(self, query: JobQuery) -> None:
        self.on_both(lambda store: store.list_jobs(query))

    @precondition(lambda self: self.in_states(State))
    @rule(choice=choices, query=strategies.log_queries)
    def read_log(self, choice: int, query: LogQuery) -> None:
        self.look_into_log(self.one_of(choice, State).uid, query)

    def look_into_log(self, uid: int, query: LogQuery) -> None:
        page = self.on_both(partial(_log_page, uid, query))
        if page.dropped_lines:
            self.reach("log lines dropped")

    @invariant()
    def every_record_is_coherent_and_there_once(self) -> None:
        for job in self.content.jobs:
            assert_coherent(job)
        living = [job.job_id for job in self.content.living.jobs]
        assert len(set(living)) == len(living)

    @invariant()
    def figures_are_those_of_the_jobs(self) -> None:
        """What is counted on the way equals what is counted now."""
        assert self.content.counts.by_state == Counter(job.state.value for job in self.content.jobs)
        states = Counter((job.options.queue, job.state) for job in self.content.jobs)
        for queue in QUEUES:
            pending, running = (
                sum(states[queue, state] for state in group) for group in (PENDING_STATES, RUNNING_STATES)
            )
            found = self.content.queues.get(queue)
            assert (pending, running) == ((0, 0) if found is None else (found.pending, found.running))

    @invariant()
    def places_are_those_in_the_queue(self) -> None:
        for queue, queued in self.content.queued.items():
            jobs = [job for job, _ in queued]
            assert jobs == sorted(jobs, key=lambda job: job.place)
            assert [self.content.positions[job.uid] for job in jobs] == list(range(1, len(jobs) + 1))
            in_queue = [job for job in self.in_states([State.QUEUED]) if job.options.queue == queue]
            assert {job.uid for job in jobs} == {job.uid for job in in_queue}

    @invariant()
    def what_is_due_next_is_scheduled(self) -> None:
        times = [job.not_before for job in self.content.jobs if job.not_before is not None]
        assert self.content.next_due == min(times, default=None)


async def _both(first: Coroutine[Any, Any, ValueT], second: Coroutine[Any, Any, ValueT]) -> tuple[ValueT, ValueT]:
    return await first, await second


async def _log_page(uid: int, query: LogQuery, store: JobStore) -> LogPage:
    return await store.log_page(uid, query)


async def _queued(queue: str, limit: int, store: JobStore) -> list[Job]:
    return [job for job, _ in await store.queued(queue, limit)]


STEPS = settings(max_examples=120, stateful_step_count=50, deadline=None)

WORTH_A_TEST = (
    "evicted: queued",
    "evicted: working",
    "Add refused: queue_full",
    "Add refused: idempotency_conflict",
    "Add refused: already_exists",
    "the same job again",
    "scheduled for a retry",
    "retried",
    "Due",
    "SetQueue",
    "Sweep",
    "recovered: queued",
    "recovered: failed",
    "recovered: scheduled",
    "a delay began again",
    "time went back",
    "log lines dropped",
    "Ask: working to input_required",
    "Ask: input_required to input_required",
    "AnswerQuestion: input_required to working",
    "AnswerQuestion: input_required to input_required",
    "AnswerQuestion: queued to queued",
    "AnswerQuestion: scheduled to scheduled",
    "AnswerQuestion refused: question_not_found",
    "asked again in attempt 2",
)


def test_both_stores_are_the_same_whatever_is_done() -> None:
    Equivalence.reached.clear()
    for number in range(10):
        # A seed for each: a profile that asks for the same examples everywhere would make every round the first.
        run_state_machine_as_test(seed(number)(Equivalence), settings=STEPS)
        missed = [what for what in WORTH_A_TEST if not Equivalence.reached[what]]
        if not missed:
            return
    raise AssertionError(f"none of these has happened: {missed}")
