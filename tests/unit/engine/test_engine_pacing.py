"""How commits are paced: the more there is to commit, the more goes into each, and nothing else waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mcp_queue_plugin.engine.commits import CROWDED_OPERATIONS, PATIENCE_SECONDS, Change, Committer
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Claim, Operation, Outcome
from mcp_queue_plugin.store.memory import MemoryStore
from mcp_queue_plugin.store.protocol import OPERATIONS_PER_TURN
from tests.contract.samples import ManualClock, add

CLAIM = Claim(Token(uid=1, attempt=1))


class TimedStore(MemoryStore):
    """Remembers when each group came, and how large it was."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.groups: list[tuple[float, int]] = []

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        self.groups.append((asyncio.get_running_loop().time(), len(operations)))
        return await super().apply(operations)


class Watcher:
    """Remembers the jobs whose changes it is told of."""

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.told: list[str] = []
        self.turns: list[int] = []
        """Of how many changes it had been told each time that it was the workers' turn."""

    def on_committed(self, changes: Sequence[Change]) -> None:
        self.committed += [change.job.job_id for change in changes]

    def on_change(self, change: Change) -> None:
        self.told.append(change.job.job_id)

    async def on_told(self) -> None:
        self.turns.append(len(self.told))


@pytest.fixture
def store() -> TimedStore:
    return TimedStore()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
async def committer(store: TimedStore, watcher: Watcher) -> AsyncIterator[Committer]:
    await store.open()
    committer = Committer(
        store, on_committed=watcher.on_committed, on_change=watcher.on_change, on_told=watcher.on_told
    )
    committer.start()
    yield committer
    await committer.close()


async def test_after_a_large_group_the_next_one_gathers_for_a_while(committer: Committer, store: TimedStore) -> None:
    crowd = [committer.committed(add(f"job {number}")) for number in range(CROWDED_OPERATIONS + 1)]
    await asyncio.gather(*crowd)
    await asyncio.gather(committer.committed(add("a")), committer.committed(add("b")))
    (first, size), (second, next_size) = store.groups
    assert (size, next_size) == (CROWDED_OPERATIONS + 1, 2)
    assert second - first >= PATIENCE_SECONDS


async def test_after_many_ends_the_next_ones_wait_for_a_request(committer: Committer, store: TimedStore) -> None:
    for _ in range(CROWDED_OPERATIONS):
        committer.submit(CLAIM)
    await committer.committed(add("a"))
    committer.submit(CLAIM)
    for _ in range(3):
        await asyncio.sleep(0)
    await committer.committed(add("b"))
    (first, size), (second, next_size) = store.groups
    assert (size, next_size) == (CROWDED_OPERATIONS + 1, 2)
    assert second - first < PATIENCE_SECONDS


async def test_after_many_ends_the_next_ones_are_committed_in_time(committer: Committer, store: TimedStore) -> None:
    outcomes: list[asyncio.Future[Outcome | QueueError]] = []
    for _ in range(CROWDED_OPERATIONS + 2):
        outcome = asyncio.get_running_loop().create_future()
        outcomes.append(outcome)
        committer.submit(CLAIM, outcome.set_result)
        if len(outcomes) > CROWDED_OPERATIONS:
            await outcome
    (first, size), (second, next_size) = store.groups
    assert (size, next_size) == (CROWDED_OPERATIONS + 1, 1)
    assert second - first >= PATIENCE_SECONDS * 0.9


async def test_closing_ends_that_while(committer: Committer, store: TimedStore) -> None:
    await asyncio.gather(*(committer.committed(add(f"job {number}")) for number in range(CROWDED_OPERATIONS + 1)))
    committer.submit(CLAIM)
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(store.groups) == 1
    async with asyncio.timeout(5):
        await committer.close()


async def test_patient_operations_go_along_with_the_next_group(committer: Committer, store: TimedStore) -> None:
    committer.submit(CLAIM, patient=True)
    await committer.committed(add("a"))
    committer.submit(CLAIM, patient=True)
    await committer.committed(add("b"))
    assert [size for _, size in store.groups] == [2, 2]


async def test_a_patient_operation_is_committed_in_time_if_nothing_else_comes(
    committer: Committer, store: TimedStore
) -> None:
    begin = asyncio.get_running_loop().time()
    outcome: asyncio.Future[Outcome | QueueError] = asyncio.get_running_loop().create_future()
    committer.submit(CLAIM, outcome.set_result, patient=True)
    await outcome
    ((committed, size),) = store.groups
    assert size == 1
    assert committed - begin >= PATIENCE_SECONDS * 0.9


async def test_a_large_group_is_told_in_turns_each_change_before_its_answer(
    committer: Committer, watcher: Watcher
) -> None:
    names = [f"job {number}" for number in range(3 * OPERATIONS_PER_TURN)]
    answered: list[str] = []

    async def ask(name: str) -> None:
        await committer.committed(add(name))
        assert watcher.committed == names
        assert name in watcher.told
        answered.append(name)
        if name == names[0]:
            assert watcher.told == names[:OPERATIONS_PER_TURN]

    await asyncio.gather(*map(ask, names))
    assert answered == watcher.told == names
    assert watcher.turns == [OPERATIONS_PER_TURN, 2 * OPERATIONS_PER_TURN, len(names), len(names)]
