"""What a stop, a deletion or an eviction can meet in one commit: there is one outcome, and everybody is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcp_queue_plugin.clock import system_clock
from mcp_queue_plugin.engine import stopping
from mcp_queue_plugin.errors import JobNotFound, StoreUnavailable
from mcp_queue_plugin.model.admission import EVICTED, LimitRules
from mcp_queue_plugin.model.operations import Delete, Operation, Outcome, Stop
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.store.memory import MemoryStore
from tests.unit.engine.harness import DISK_FULL, SETUP, FragileStore, GatedStore, Host, hosting, submission
from tests.unit.workers.harness import until

ROOM_FOR_ONE = LimitRules(max_jobs=1)


@pytest.fixture
def store() -> GatedStore:
    return GatedStore()


async def hold(store: GatedStore, host: Host) -> None:
    """Hold up a commit that changes nothing: what is asked for from now on meets in the next one."""
    store.hold()
    host.engine.start("nobody", reply=_expect_refusal)
    await until(lambda: store.is_holding)


def _expect_refusal(answer: object) -> None:
    assert isinstance(answer, JobNotFound)


def submitted(host: Host) -> list[str]:
    """What will meet in the next commit."""
    return [type(entry.operation).__name__ for entry in host.engine._committer._entries]


async def test_a_job_whose_stop_is_being_committed_does_not_run(store: GatedStore, tmp_path: Path) -> None:
    async with hosting(store, warm=False) as host:
        await host.submit("a", "append", str(tmp_path / "runs"))
        store.hold()
        stop = host.stop("a")
        await until(lambda: store.is_holding)
        host.engine.warm_up(SETUP)
        await until(lambda: submitted(host) == ["Claim"])
        store.release()
        assert (await stop).job.state is State.STOPPED
        await host.submit("b", "echo", 1)
        await host.end("b")
        assert not (tmp_path / "runs").exists()
        assert (await host.engine.health()).workers.started == 1


async def test_a_stop_that_was_not_committed_is_refused_and_the_job_runs() -> None:
    store = FragileStore()
    async with hosting(store, warm=False) as host:
        await host.submit("a", "echo", 1)
        store.write_failure = DISK_FULL
        with pytest.raises(StoreUnavailable):
            await host.stop("a")
        store.write_failure = None
        host.engine.warm_up(SETUP)
        assert (await host.end("a")).job.state is State.COMPLETED


async def test_a_stop_whose_job_cannot_be_read_is_an_error_and_holds_all_the_same(tmp_path: Path) -> None:
    class BlindAfterStop(FragileStore):
        async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
            outcomes = await super().apply(operations)
            if any(isinstance(operation, Stop) for operation in operations):
                self.read_failure = DISK_FULL
            return outcomes

    store = BlindAfterStop()
    async with hosting(store) as host:
        await host.submit("a", "obey", str(tmp_path / "note"))
        await host.working("a")
        with pytest.raises(StoreUnavailable):
            await host.stop("a")
        store.read_failure = None
        assert (await host.end("a")).job.state is State.STOPPED


async def test_a_stop_that_meets_the_end_and_a_retry_is_answered_at_once(store: GatedStore, tmp_path: Path) -> None:
    async with hosting(store) as host:
        await host.submit("a", "hold_silently", str(tmp_path / "release"))
        await host.working("a")
        await hold(store, host)
        stop = host.stop("a")
        (tmp_path / "release").touch()
        await until(lambda: submitted(host) == ["Stop", "Finish"])
        (tmp_path / "release").unlink()
        retry = host.retry("a")
        await until(lambda: submitted(host) == ["Stop", "Finish", "Retry"])
        store.release()
        assert (await retry).job.state is State.QUEUED
        answer = await asyncio.wait_for(asyncio.ensure_future(stop), 3)
        assert (answer.job.state, answer.timed_out) == (State.QUEUED, False)
        assert host.ended == [("a", "stopped")]


async def test_an_eviction_that_meets_the_first_claim_makes_the_job_let_go(store: GatedStore, tmp_path: Path) -> None:
    async with hosting(store, warm=False, limits=ROOM_FOR_ONE) as host:
        await host.submit("old", "obey", str(tmp_path / "note"), on_interrupt="fail")
        await hold(store, host)
        host.engine.warm_up(SETUP)
        await until(lambda: submitted(host) == ["Claim"])
        new = host.submit("new", "echo", 1)
        store.release()
        await new
        old = await host.end("old")
        assert (old.job.state, old.job.reason, old.job.attempt) == (State.STOPPED, EVICTED, 1)
        assert (await host.end("new")).job.state is State.COMPLETED
        assert host.ended == [("old", "stopped"), ("new", "completed")]


async def test_an_eviction_that_meets_the_adoption_is_passed_to_the_server(store: GatedStore) -> None:
    async with hosting(store, warm=False, limits=ROOM_FOR_ONE) as host:
        await hold(store, host)
        host.engine.adopt(submission("old", on_interrupt="fail"), b"{}", "runs in the server")
        new = host.add("new")
        store.release()
        await new
        await until(lambda: host.stop_adopted == ["old"])


async def test_a_job_that_is_evicted_at_its_start_and_retried_runs_once_more(store: GatedStore, tmp_path: Path) -> None:
    """Both runs are the first attempt of the job, but only the second was claimed."""
    release, runs = tmp_path / "release", tmp_path / "release.runs"
    async with hosting(store, warm=False, max_concurrent_jobs=2, min_workers=2, limits=ROOM_FOR_ONE) as host:
        await host.submit("a", "deaf", str(release))
        store.hold()
        new = host.add("new")
        await until(lambda: store.is_holding)
        host.engine.warm_up(SETUP)
        await until(lambda: runs.exists() and runs.read_text())
        store.release()
        await new
        assert (await host.end("a")).job.attempt == 0
        await host.delete("new")
        await host.retry("a")
        await until(lambda: len(runs.read_text().splitlines()) == 2)
        assert (await host.status("a")).job.state in (State.QUEUED, State.WORKING)
        release.touch()
        ended = await host.end("a")
        assert (ended.job.state, ended.job.attempt) == (State.COMPLETED, 1)
        assert host.ended == [("a", "stopped"), ("new", "deleted"), ("a", "completed")]


async def test_a_quick_job_that_is_evicted_at_its_start_and_retried_at_once_runs_once_more(
    store: GatedStore, tmp_path: Path
) -> None:
    """Its first run has ended before the eviction is told, and the retry is no news while it seems to be claimed."""
    runs = tmp_path / "runs"
    async with hosting(store, warm=False, limits=ROOM_FOR_ONE) as host:
        await host.submit("a", "append", str(runs))
        store.hold()
        new = host.add("new")
        await until(lambda: store.is_holding)
        host.engine.warm_up(SETUP)
        await until(lambda: submitted(host) == ["Claim", "Finish"])
        retry = host.retry("a")
        await until(lambda: submitted(host) == ["Claim", "Finish", "Retry"])
        store.release()
        assert (await new).job.job_id == "new"
        await retry
        assert (await host.end("a")).job.attempt == 1
        assert len(runs.read_text().splitlines()) == 2


async def test_the_claim_and_the_end_of_a_quick_job_are_one_operation(store: GatedStore) -> None:
    async with hosting(store, warm=False) as host:
        await host.submit("a", "echo", 1)
        await hold(store, host)
        host.engine.warm_up(SETUP)
        await until(lambda: submitted(host) == ["Claim", "Finish"])
        new = host.add("new")
        store.release()
        await new
        assert store.groups[-1] == ["Finish", "Add"]
        job = (await host.end("a")).job
        assert (job.state, job.attempt) == (State.COMPLETED, 1)
        assert job.started_at is not None
        assert job.completed_at is not None
        assert job.started_at <= job.completed_at <= job.changed_at


@pytest.mark.parametrize(
    ("asked", "found"), [("stop", State.STOPPED), ("delete", State.DELETED), ("start", State.WORKING)]
)
async def test_what_was_asked_for_while_a_job_ran_finds_it_running_though_its_end_comes_in_the_same_commit(
    store: GatedStore, tmp_path: Path, asked: str, found: State
) -> None:
    async with hosting(store, warm=False) as host:
        await host.submit("a", "hold_silently", str(tmp_path / "release"))
        await hold(store, host)
        host.engine.warm_up(SETUP)
        await until(lambda: submitted(host) == ["Claim"])
        answer = getattr(host, asked)("a")
        (tmp_path / "release").touch()
        await until(lambda: submitted(host) == ["Claim", asked.title(), "Finish"])
        store.release()
        assert (await answer).job.state is found


async def test_the_deletion_of_a_stopped_job_spares_a_new_job_of_its_name(store: GatedStore, tmp_path: Path) -> None:
    async with hosting(store) as host:
        await host.submit("a", "hold_silently", str(tmp_path / "release"))
        await host.working("a")
        first = host.delete("a", grace_seconds=60)
        await host.reaching("a", State.STOPPING)
        store.hold()
        (tmp_path / "release").touch()
        await until(lambda: store.is_holding and "Finish" in store.groups[-1])
        second, add = host.delete("a"), host.add("a")
        store.release()
        assert {(await first).job.state, (await second).job.state} == {State.DELETED}
        added = (await add).job
        await host.add("b")
        assert store.groups[-2:] == [["Delete", "Add", "Delete"], ["Add"]]
        assert (await host.status("a")).job == added


async def test_a_deletion_is_not_forgotten_when_its_commit_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusingOnce(MemoryStore):
        """Fails the first deletion of a stopped job."""

        refused = 0

        async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
            if not self.refused and any(isinstance(each, Delete) and each.uid is not None for each in operations):
                self.refused += 1
                raise StoreUnavailable(DISK_FULL)
            return await super().apply(operations)

    monkeypatch.setattr(stopping, "FAILURE_PAUSE_SECONDS", 0.01)
    store = RefusingOnce(system_clock())
    async with hosting(store) as host:
        await host.submit("a", "obey", str(tmp_path / "note"))
        await host.working("a")
        assert (await host.delete("a")).job.state is State.DELETED
        assert store.refused == 1
        assert host.ended == [("a", "stopped")]
