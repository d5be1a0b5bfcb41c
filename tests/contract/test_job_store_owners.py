"""What every store promises of owners: to whom an operation names one, no job of another exists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcp_queue_plugin.model.job import Question
from mcp_queue_plugin.model.operations import AnswerQuestion, Ask, Delete, Operation, Refusal, Retry, Start, Stop
from mcp_queue_plugin.model.queries import JobQuery
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.protocol import JobStore
from tests.contract.samples import add, applied, claim, everything, finish, refused

DECLINED = GivenAnswer(AnswerAction.DECLINE)

NAMED: dict[str, Callable[[str | None], Operation]] = {
    "start": lambda owner: Start("job", owner),
    "stop": lambda owner: Stop("job", owner=owner),
    "delete": lambda owner: Delete("job", owner=owner),
    "answer": lambda owner: AnswerQuestion(
        job_id="job", key="k", answer=GivenAnswer(AnswerAction.DECLINE), owner=owner
    ),
    "retry": lambda owner: Retry(job_id="job", owner=owner),
}


async def prepared(store: JobStore, verb: str) -> None:
    """A job of alice's in a state that ``verb`` changes."""
    await applied(store, add("job", owner="alice", start=verb != "start"))
    if verb == "answer":
        (job,) = await claim(store)
        await applied(store, Ask(token=job.token, question=Question(key="k", prompt="?", attempt=1)))
    if verb == "retry":
        await applied(store, Stop("job"))


@pytest.mark.parametrize("verb", NAMED)
async def test_a_job_of_another_is_no_job(store: JobStore, verb: str) -> None:
    await prepared(store, verb)
    before = await everything(store)
    assert await refused(store, NAMED[verb]("bob")) == (Refusal.NOT_FOUND, None)
    assert await refused(store, NAMED[verb]("")) == (Refusal.NOT_FOUND, None)
    assert await everything(store) == before


@pytest.mark.parametrize("verb", NAMED)
@pytest.mark.parametrize("owner", ["alice", None])
async def test_its_owner_and_who_sees_all_may_do_everything(store: JobStore, verb: str, owner: str | None) -> None:
    await prepared(store, verb)
    await applied(store, NAMED[verb](owner))


@pytest.mark.parametrize("verb", NAMED)
async def test_a_job_of_nobody_exists_for_no_owner(store: JobStore, verb: str) -> None:
    await applied(store, add("job"))
    assert await refused(store, NAMED[verb]("alice")) == (Refusal.NOT_FOUND, None)


async def test_a_tombstone_too_is_its_owners_alone(store: JobStore) -> None:
    await applied(store, add("job", owner="alice"))
    await applied(store, Delete("job"))
    assert await refused(store, Delete("job", owner="bob")) == (Refusal.NOT_FOUND, None)
    await applied(store, add("job", owner="bob"))
    assert await refused(store, Stop("job", owner="alice")) == (Refusal.NOT_FOUND, None)
    assert (await applied(store, Stop("job", owner="bob"))).owner == "bob"


async def test_a_running_job_is_stopped_by_its_owner_and_ends_as_ever(store: JobStore) -> None:
    await applied(store, add("job", owner="alice"))
    (job,) = await claim(store)
    assert (await applied(store, Stop("job", owner="alice"))).state is State.STOPPING
    assert (await applied(store, finish(job.token))).state is State.STOPPED


async def test_lists_and_their_counts_are_an_owners(store: JobStore) -> None:
    for number in range(5):
        await applied(store, add(f"job {number}", owner="alice" if number % 2 else "bob"))
    page = await store.list_jobs(JobQuery(owner="alice", limit=1))
    assert [job.job_id for job in page.jobs] == ["job 3"]
    assert page.total_count == 2
    rest = await store.list_jobs(JobQuery(owner="alice", limit=1, after_uid=page.next_uid))
    assert [job.job_id for job in rest.jobs] == ["job 1"]
    assert rest.next_uid is None
