"""Which limits hold for a job, whom they count, and who has to go for a new one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mcp_queue_plugin.allowed import Overflow
from mcp_queue_plugin.model.admission import (
    Full,
    Limit,
    LimitRules,
    Scope,
    TallyKey,
    eviction_order,
    is_in,
    limits_of,
    make_room,
    tally_keys,
)
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.states import PENDING_STATES, RUNNING_STATES, State
from tests.contract.samples import submission
from tests.unit.model.jobs import job_in

ALL = Limit(scope="all", max_jobs=3)


def named(uid: int, state: State = State.QUEUED, *, queue: str = "default", **fields: Any) -> Job:
    return job_in(state, JobOptions(queue=queue), uid=uid, **fields)


def room(limits: Sequence[Limit], jobs: Sequence[Job], *, owner: str | None = None) -> list[int] | Full:
    """The uids of those who have to go for a new job of ``owner``."""

    def count_of(limit: Limit) -> int:
        return sum(is_in(job, limit) for job in jobs)

    def oldest_of(limit: Limit, count: int) -> list[Job]:
        found = (job for job in jobs if job.owner == owner and is_in(job, limit))
        return sorted(found, key=eviction_order)[:count]

    victims = make_room(limits, count_of, oldest_of)
    return victims if isinstance(victims, Full) else [job.uid for job in victims]


@pytest.mark.parametrize("given_keys", list(itertools.product([False, True], repeat=4)), ids=str)
def test_the_limits_of_a_job_are_those_that_are_given_the_narrowest_first(given_keys: tuple[bool, ...]) -> None:
    by_command, by_type, by_queue, over_all = given_keys
    by_name = {**({"echo": 1} if by_command else {}), **({"command_execution": 2} if by_type else {}), "other": 9}
    rules = LimitRules(max_jobs=4 if over_all else None, max_jobs_by_name=by_name, overflow="reject")
    queue = QueueRule(max_queue_size=3 if by_queue else None, overflow="evict_oldest")
    every = [
        Limit(scope="command", name="echo", max_jobs=1, overflow="reject"),
        Limit(scope="job_type", name="command_execution", max_jobs=2, overflow="reject"),
        Limit(scope="queue", name="default", max_jobs=3, overflow="evict_oldest"),
        Limit(scope="all", max_jobs=4, overflow="reject"),
    ]
    expected = tuple(limit for limit, is_given in zip(every, given_keys, strict=True) if is_given)
    assert limits_of(submission("a"), rules, queue) == expected
    assert limits_of(job_in(State.FAILED), rules, queue) == expected


def test_a_job_without_a_command_has_no_limit_of_commands() -> None:
    rules = LimitRules(max_jobs_by_name={"": 1, "csv": 2})
    limits = limits_of(submission("a", job_type="csv", command=None), rules, QueueRule())
    assert limits == (Limit(scope="job_type", name="csv", max_jobs=2),)


def test_a_job_type_and_a_command_of_one_name_are_limited_apart() -> None:
    rules = LimitRules(max_jobs_by_name={"echo": 1})
    (limit,) = limits_of(submission("a"), rules, QueueRule())
    assert is_in(named(1), limit)
    assert not is_in(named(2, job_type="echo", command=None), limit)


@pytest.mark.parametrize("state", State)
def test_a_limit_counts_what_has_not_ended_and_was_not_asked_to_stop(state: State) -> None:
    scopes: set[TallyKey] = {
        ("all", ""),
        ("queue", "llm"),
        ("job_type", "command_execution"),
        ("command", "echo"),
    }
    in_queue: TallyKey = ("pending" if state in PENDING_STATES else "running", "llm")
    keys = tally_keys(named(1, state, queue="llm"))
    assert len(keys) == len(set(keys))
    if state is State.STOPPING:
        assert keys == (in_queue,)
    elif state in PENDING_STATES | RUNNING_STATES:
        assert set(keys) == scopes | {in_queue} | ({("queued", "llm")} if state is State.QUEUED else set())
    else:
        assert keys == ()


def test_a_job_without_a_command_counts_for_no_command() -> None:
    scopes = {scope for scope, _ in tally_keys(named(1, command=None))}
    assert scopes == {"all", "queue", "job_type", "pending", "queued"}


def test_nobody_goes_while_there_is_room() -> None:
    assert room([ALL], [named(1), named(2)]) == []
    assert room([], [named(1), named(2)]) == []


def test_the_oldest_goes_first() -> None:
    assert room([ALL], [named(uid) for uid in (3, 1, 2)]) == [1]


def test_a_pending_job_goes_before_an_older_one_that_runs() -> None:
    for pending in sorted(PENDING_STATES):
        assert room([ALL], [named(1, State.WORKING), named(2, State.INPUT_REQUIRED), named(3, pending)]) == [3]


def test_one_that_runs_goes_when_none_is_pending() -> None:
    assert room([ALL], [named(3, State.WORKING), named(2, State.INPUT_REQUIRED), named(4, State.WORKING)]) == [2]


def test_what_was_asked_to_stop_has_made_room_already() -> None:
    assert room([ALL], [named(1, State.STOPPING), named(2), named(3)]) == []
    assert room([ALL], [named(1, State.STOPPING), named(2), named(3), named(4)]) == [2]


def test_nobody_goes_for_another_owner() -> None:
    jobs = [named(1, owner="ann"), named(2, owner="ann"), named(3, owner=None)]
    assert room([ALL], jobs, owner="bob") == Full(ALL, 3)
    assert room([ALL], jobs, owner="ann") == [1]
    assert room([ALL], jobs, owner=None) == [3]


def test_a_limit_may_reject() -> None:
    limit = Limit(scope="all", max_jobs=2, overflow="reject")
    assert room([limit], [named(1)]) == []
    assert room([limit], [named(1), named(2)]) == Full(limit, 2)


def test_several_go_when_a_limit_was_lowered() -> None:
    assert room([ALL], [named(1, State.WORKING), named(2), named(3), named(4), named(5)]) == [2, 3, 4]


def test_who_goes_for_a_narrow_limit_counts_for_a_wide_one() -> None:
    narrow = Limit(scope="command", name="echo", max_jobs=1)
    jobs = [named(1, command="sum"), named(2), named(3, command="sum")]
    assert room([narrow, ALL], jobs) == [2]


def test_a_wide_limit_takes_more_than_a_narrow_one() -> None:
    narrow = Limit(scope="command", name="echo", max_jobs=1)
    jobs = [named(1, command="sum"), named(2), named(3, command="sum"), named(4, command="sum")]
    assert room([narrow, ALL], jobs) == [1, 2]


def test_nobody_goes_in_vain() -> None:
    """The oldest of the command would go for its limit, but another of it has to go for the queue anyway."""
    limits = [Limit(scope="command", name="echo", max_jobs=2), Limit(scope="queue", name="llm", max_jobs=1)]
    assert room(limits, [named(1), named(2, queue="llm")]) == [2]


def test_a_limit_that_is_full_for_good_saves_those_who_would_go_for_another() -> None:
    narrow = Limit(scope="command", name="echo", max_jobs=1)
    wide = Limit(scope="all", max_jobs=1)
    jobs = [named(1, owner="ann"), named(2, owner="bob", command="sum"), named(3, owner="bob", command="sum")]
    assert room([narrow, wide], jobs, owner="ann") == Full(wide, 3)


jobs_in_a_store = st.lists(
    st.tuples(
        st.sampled_from([State.QUEUED, State.WORKING, *State]),
        st.sampled_from(["llm", "default"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["echo", "sum", None]),
        st.sampled_from(["ann", "ann", "bob"]),
    ),
    min_size=5,
    max_size=14,
).map(
    lambda kinds: [
        named(uid, state, queue=queue, job_type=job_type, command=command, owner=owner)
        for uid, (state, queue, job_type, command, owner) in enumerate(kinds)
    ]
)


def limits_in(scope: Scope, name: str) -> st.SearchStrategy[tuple[Limit, ...]]:
    overflows: list[Overflow] = ["evict_oldest", "evict_oldest", "reject"]
    limits = st.builds(
        Limit, scope=st.just(scope), name=st.just(name), max_jobs=st.integers(1, 5), overflow=st.sampled_from(overflows)
    )
    return st.just(()) | st.tuples(limits)


some_limits = st.tuples(
    limits_in("command", "echo"), limits_in("job_type", "x"), limits_in("queue", "llm"), limits_in("all", "")
).map(lambda limits: list(itertools.chain(*limits)))


@given(jobs_in_a_store, some_limits)
@settings(max_examples=300)
def test_every_limit_holds_afterwards_and_each_of_those_who_went_had_to(jobs: list[Job], limits: list[Limit]) -> None:
    found = room(limits, jobs, owner="ann")
    count = {limit: sum(is_in(job, limit) for job in jobs) for limit in limits}
    if isinstance(found, Full):
        event("refused")
        assert found.count == count[found.limit] >= found.limit.max_jobs
        own = sum(is_in(job, found.limit) for job in jobs if job.owner == "ann")
        assert found.limit.overflow == "reject" or found.count + 1 - own > found.limit.max_jobs
        return
    victims = {uid: jobs[uid] for uid in found}
    event(f"{len(victims)} evicted")
    assert list(victims.values()) == sorted(victims.values(), key=eviction_order)
    assert {job.owner for job in victims.values()} <= {"ann"}

    def holds(limit: Limit, gone: Sequence[Job]) -> bool:
        return count[limit] + 1 - sum(is_in(job, limit) for job in gone) <= limit.max_jobs

    assert all(holds(limit, list(victims.values())) for limit in limits)
    for uid in victims:
        others = [job for other, job in victims.items() if other != uid]
        assert not all(holds(limit, others) for limit in limits)


@given(jobs_in_a_store, st.integers(1, 6))
def test_one_limit_takes_exactly_the_first_of_the_owner(jobs: list[Job], max_jobs: int) -> None:
    limit = Limit(scope="all", max_jobs=max_jobs)
    counted = [job for job in jobs if is_in(job, limit)]
    own = sorted((job for job in counted if job.owner == "ann"), key=eviction_order)
    excess = max(0, len(counted) + 1 - max_jobs)
    found = room([limit], jobs, owner="ann")
    if excess > len(own):
        assert found == Full(limit, len(counted))
    else:
        assert found == [job.uid for job in own[:excess]]
