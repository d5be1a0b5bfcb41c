"""Whatever is done to them, SqliteStore and MemoryStore answer the same and hold the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcp_queue_plugin.model.job import ErrorInfo, Job, Token
from mcp_queue_plugin.model.operations import (
    Add,
    Adopt,
    Applied,
    Changes,
    Claim,
    Delete,
    Ending,
    EndingKind,
    Finish,
    LogChunk,
    Operation,
    Report,
    Start,
    Stop,
)
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.states import Status
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import JobStore
from mcp_queue_plugin.store.sqlite import SqliteStore
from tests.contract.samples import ManualClock, claim_of, submission

ValueT = TypeVar("ValueT")

IDS = ("a", "b", "ü")
OWNERS = (None, "ann", "bob")

ids = st.sampled_from(IDS)
texts = st.text(max_size=5)
options = st.builds(
    JobOptions,
    queue=st.sampled_from(["default", "llm"]),
    priority=st.integers(-2, 2),
    max_crashes=st.integers(1, 2),
    on_interrupt=st.sampled_from(["retry", "fail"]),
)
submissions = st.builds(
    submission, ids, job_type=st.sampled_from(["x", "y"]), owner=st.sampled_from(OWNERS), options=options
)
operations_by_id = st.one_of(
    st.builds(Add, submission=submissions, params=st.binary(max_size=8), start=st.booleans()),
    st.builds(Adopt, submission=submissions, params=st.binary(max_size=8), description=texts),
    st.builds(Start, ids),
    st.builds(Stop, ids, texts),
    st.builds(Delete, ids, texts, st.none() | st.integers(1, 3)),
)
logs = st.lists(
    st.builds(LogChunk, st.sampled_from(["stdout", "stderr"]), st.floats(0, 9), st.binary(max_size=8)), max_size=2
).map(tuple)
changes = st.builds(
    Changes,
    progress=st.none() | st.integers(-5, 105),
    description=st.none() | texts,
    step=st.none() | texts,
)
errors = st.none() | st.builds(ErrorInfo, type=texts, message=texts, code=st.none() | st.integers(-9, 9))
endings = st.builds(
    Ending,
    kind=st.sampled_from(EndingKind),
    result=st.none() | st.binary(max_size=8),
    error=errors,
    completed_with_error=st.booleans(),
)
queries = st.builds(
    JobQuery,
    status=st.none() | st.sampled_from(Status),
    queue=st.sampled_from([None, "default", "llm"]),
    job_type=st.sampled_from([None, "x"]),
    command=st.sampled_from([None, "echo", "other"]),
    owner=st.sampled_from(OWNERS),
    order=st.sampled_from(["newest", "oldest"]),
    after_uid=st.none() | st.integers(0, 9),
    limit=st.integers(1, 4),
)


class Equivalence(RuleBasedStateMachine):
    """The same steps on both stores; the oracle is the one in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock()
        self.runner = asyncio.Runner()
        self.memory = MemoryStore(self.clock)
        self.sqlite = self.new_sqlite()
        self.tokens: list[Token] = [Token(uid=99, attempt=1)]
        self.on_both(lambda store: store.open())

    def new_sqlite(self) -> SqliteStore:
        return SqliteStore(self.folder / "jobs.db", durability="normal", clock=self.clock)

    def run(self, coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
        return self.runner.run(coroutine)

    def on_both(self, ask: Callable[[JobStore], Coroutine[Any, Any, ValueT]]) -> ValueT:
        expected, found = self.run(ask(self.memory)), self.run(ask(self.sqlite))
        assert found == expected
        return expected

    def apply(self, operations: list[Operation]) -> None:
        for outcome in self.on_both(lambda store: store.apply(operations)):
            if isinstance(outcome, Applied) and outcome.job.attempt:
                self.tokens.append(outcome.job.token)

    def teardown(self) -> None:
        self.run(self.sqlite.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule(operations=st.lists(operations_by_id, min_size=1, max_size=4))
    def apply_group(self, operations: list[Operation]) -> None:
        self.apply(operations)

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        queued = self.on_both(partial(_queued, limit))
        self.apply([claim_of(job) for job in queued])

    @rule(age=st.integers(0, 3), attempts=st.integers(0, 2))
    def claim_late(self, age: int, attempts: int) -> None:
        token = self.token(age)
        self.apply([Claim(Token(uid=token.uid, attempt=token.attempt + attempts))])

    @rule(age=st.integers(0, 3), changes=changes, log=logs)
    def report(self, age: int, changes: Changes, log: tuple[LogChunk, ...]) -> None:
        self.apply([Report(token=self.token(age), changes=changes, log=log)])

    @rule(age=st.integers(0, 3), ending=endings, changes=changes, log=logs)
    def finish(self, age: int, ending: Ending, changes: Changes, log: tuple[LogChunk, ...]) -> None:
        self.apply([Finish(token=self.token(age), ending=ending, changes=changes, log=log)])

    def token(self, age: int) -> Token:
        """One of the last tokens given out."""
        return self.tokens[-1 - age % len(self.tokens)]

    @rule(seconds=st.floats(0.001, 100))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def restart(self) -> None:
        self.run(self.sqlite.close())
        self.sqlite = self.new_sqlite()
        self.on_both(lambda store: store.open())

    @rule(query=queries)
    def list_jobs(self, query: JobQuery) -> None:
        self.on_both(lambda store: store.list_jobs(query))

    @precondition(lambda self: len(self.tokens) > 1)
    @rule(age=st.integers(0, 3))
    def read_documents(self, age: int) -> None:
        uid = self.token(age).uid
        self.on_both(lambda store: store.result(uid))
        self.on_both(lambda store: store.log(uid))

    @invariant()
    def same_records(self) -> None:
        self.on_both(_everything)


async def _queued(limit: int, store: JobStore) -> list[Job]:
    return [job for job, _ in await store.queued("default", limit)]


async def _everything(store: JobStore) -> list[object]:
    return [
        *[await store.get(job_id) for job_id in IDS],
        *[await store.list_jobs(JobQuery(status=status, limit=1_000)) for status in (None, Status.DELETED)],
        *await store.queued("default", 1_000),
        await store.counts(),
        await store.oldest_queued_at(),
    ]


TestEquivalence = Equivalence.TestCase
TestEquivalence.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
