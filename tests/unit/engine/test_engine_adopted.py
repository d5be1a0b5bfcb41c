"""Jobs that run in the server's own process: the engine keeps their records, and asks the server to stop them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_queue_plugin.errors import JobNotFound
from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.states import ENDED_STATES, State
from tests.unit.engine.harness import DISK_FULL, FragileStore, Host, TardyStore, hosting, pass_turns, submission
from tests.unit.engine.races import left_behind
from tests.unit.workers.harness import until

COMPLETED = Ending(kind=EndingKind.COMPLETED, result=b'{"done": true}')


@pytest.fixture
def store() -> FragileStore:
    return FragileStore()


@pytest.fixture
async def host(store: FragileStore) -> AsyncIterator[Host]:
    async with hosting(store, warm=False) as host:
        yield host


def adopt(host: Host) -> None:
    host.engine.adopt(submission("a", on_interrupt="fail"), b"{}", "runs in the server")


async def adopted(host: Host) -> Job:
    """The record of an adopted job, once it is committed (as what was asked with it is)."""
    adopt(host)
    await host.add("marker")
    return (await host.status("a")).job


async def test_an_adopted_job_works_and_ends_with_its_result(host: Host) -> None:
    job = await adopted(host)
    assert job.state is State.WORKING
    assert (job.description, job.attempt) == ("runs in the server", 1)
    host.engine.end_adopted("a", COMPLETED, "it is done")
    ended = await host.end("a")
    assert (ended.job.state, ended.result, ended.job.description) == (State.COMPLETED, COMPLETED.result, "it is done")
    assert host.ended == [("a", "completed")]


async def test_an_end_before_the_record_is_committed_is_not_lost(host: Host) -> None:
    adopt(host)
    host.engine.end_adopted("a", Ending(kind=EndingKind.FAILED, error=ErrorInfo(type="E", message="no")), "failed")
    await until(lambda: host.ended)
    ended = await host.status("a")
    assert ended.job.error == ErrorInfo(type="E", message="no")


async def test_an_end_of_an_unknown_job_and_a_second_end_change_nothing(host: Host) -> None:
    host.engine.end_adopted("nobody", COMPLETED, "")
    await adopted(host)
    host.engine.end_adopted("a", COMPLETED, "")
    host.engine.end_adopted("a", Ending(kind=EndingKind.FAILED), "")
    assert (await host.end("a")).job.state is State.COMPLETED
    await host.add("another marker")
    assert (await host.status("a")).job.state is State.COMPLETED


async def test_an_id_that_is_adopted_again_is_one_job(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    adopt(host)
    adopt(host)
    assert (await host.status("a")).job.state is State.WORKING
    adopt(host)
    host.engine.end_adopted("a", COMPLETED, "")
    assert (await host.end("a")).job.state is State.COMPLETED
    assert caplog.text == ""


async def test_an_id_that_is_taken_is_not_adopted_and_its_owner_is_left_alone(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    await host.add("a")
    adopt(host)
    host.engine.end_adopted("a", COMPLETED, "")
    await host.add("marker")
    assert (await host.status("a")).job.state is State.CREATED
    assert "could not be recorded" in caplog.text


@pytest.mark.parametrize("ends_meanwhile", [False, True])
async def test_a_record_that_could_not_be_stored_is_made_when_the_store_takes_it(
    host: Host, store: FragileStore, ends_meanwhile: bool
) -> None:
    store.write_failure = DISK_FULL
    adopt(host)
    with pytest.raises(JobNotFound):
        await host.status("a")
    if ends_meanwhile:
        host.engine.end_adopted("a", COMPLETED, "it is done")
    await until(lambda: sum("Adopt" in group for group in store.groups) >= 2)
    store.write_failure = None
    if not ends_meanwhile:
        host.engine.end_adopted("a", COMPLETED, "it is done")
    await until(lambda: host.ended)
    ended = await host.status("a")
    assert (ended.job.state, ended.result, ended.job.description) == (State.COMPLETED, COMPLETED.result, "it is done")


async def test_a_stop_is_passed_to_the_server_and_answered_after_the_end(host: Host) -> None:
    await adopted(host)
    stop = asyncio.ensure_future(host.stop("a"))
    await until(lambda: host.stop_adopted)
    assert (await host.status("a")).job.state is State.STOPPING
    host.engine.end_adopted("a", Ending(kind=EndingKind.STOPPED), "was cancelled")
    stopped = await stop
    assert (stopped.job.state, stopped.job.reason) == (State.STOPPED, "enough")


async def test_a_deletion_stops_first(host: Host) -> None:
    await adopted(host)
    delete = asyncio.ensure_future(host.delete("a"))
    await until(lambda: host.stop_adopted)
    host.engine.end_adopted("a", COMPLETED, "")
    assert (await delete).job.state is State.DELETED
    assert host.ended == [("a", "stopped")]


async def test_a_stop_that_meets_the_end_in_one_commit_is_answered_at_once(host: Host) -> None:
    await adopted(host)
    begin = time.monotonic()
    stop = host.stop("a")
    host.engine.end_adopted("a", COMPLETED, "")
    answer = await stop
    assert (answer.job.state, answer.timed_out) == (State.STOPPED, False)
    assert time.monotonic() - begin < 2


async def test_a_deletion_that_meets_the_end_in_one_commit_is_answered_at_once(host: Host) -> None:
    await adopted(host)
    begin = time.monotonic()
    delete = host.delete("a")
    host.engine.end_adopted("a", COMPLETED, "")
    answer = await delete
    assert (answer.job.state, answer.timed_out) == (State.DELETED, False)
    assert time.monotonic() - begin < 2


async def test_what_the_server_ran_ends_with_the_server(store: FragileStore) -> None:
    async with hosting(store, warm=False) as host:
        await adopted(host)
    (recovered,) = await store.open()
    assert recovered.state is State.FAILED
    assert recovered.error is not None
    assert recovered.error.type == "Interrupted"


words = st.sampled_from(["completed", "failed", "stopped", "stop", "delete"])


@settings(max_examples=150, deadline=None)
@given(script=st.lists(st.tuples(words, st.integers(0, 3)), max_size=8), tardiness=st.integers(0, 8))
def test_in_whatever_order_stops_and_ends_come_there_is_one_end(script: list[tuple[str, int]], tardiness: int) -> None:
    async def run() -> None:
        async with hosting(TardyStore([tardiness]), warm=False) as host:
            adopt(host)
            asked = []
            for word, turns in [*script, ("completed", 0)]:
                if word in ("stop", "delete"):
                    asked.append(getattr(host, word)("a"))
                else:
                    host.engine.end_adopted("a", Ending(kind=EndingKind(word)), "")
                await pass_turns(turns)
            await asyncio.gather(*asked, return_exceptions=True)
            assert (await host.end("a")).job.state in ENDED_STATES
            # What came before the marker is committed and told when that is.
            await host.add("marker")
            assert len(host.ended) == 1
            assert not left_behind(host)

    asyncio.run(run())
