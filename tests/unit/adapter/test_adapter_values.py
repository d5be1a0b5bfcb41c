"""Records, errors and health in the adapter's shapes; what the engine and its workers are built from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mcp_proxy_adapter.commands.hooks import hooks
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError
from msgspec.structs import replace

from mcp_queue_plugin.adapter.health import STARVED_MARKER, health_report
from mcp_queue_plugin.adapter.results import (
    delete_metadata,
    job_error,
    job_result,
    raises_job_errors,
    split_streams,
    stop_metadata,
)
from mcp_queue_plugin.adapter.setup import RUNNER, engine_options, worker_setup
from mcp_queue_plugin.engine.values import Answer, EngineHealth
from mcp_queue_plugin.errors import (
    JobAlreadyExists,
    JobNotFound,
    JobStateInvalid,
    QueueError,
    StoreUnavailable,
)
from mcp_queue_plugin.model.job import ErrorInfo, Job
from mcp_queue_plugin.model.options import JobOptions
from mcp_queue_plugin.model.queries import Counts, LogEntry, LogPage
from mcp_queue_plugin.model.scaling import WorkerRules
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.settings import Settings, load_settings
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.statistics import WorkerFacts, WorkerStatistics

NOW = 1_000_000.0

JOB = Job(
    uid=1,
    job_id="a",
    job_type="rows",
    target="m:C",
    command=None,
    owner=None,
    options=JobOptions(),
    state=State.COMPLETED,
    version=3,
    order=1,
    progress=100,
    description="all rows",
    step="done",
    created_at=0.0,
    started_at=1.5,
    completed_at=2.25,
    has_result=True,
)


def changed(**fields: Any) -> Job:
    return msgspec.structs.replace(JOB, **fields)


def settings(**manager: Any) -> Settings:
    return load_settings({"queue_manager": manager}, environ={})


def test_a_record_becomes_the_adapters_result() -> None:
    result = job_result(Answer(JOB, b'{"n":1}'), metadata={"stopped": False})
    assert vars(result) == {
        "job_id": "a",
        "status": "completed",
        "result": {"n": 1},
        "error": None,
        "progress": 100,
        "description": "all rows",
        "step": "done",
        "metadata": {"stopped": False},
        "created_at": "1970-01-01T00:00:00.000Z",
        "started_at": "1970-01-01T00:00:01.500Z",
        "completed_at": "1970-01-01T00:00:02.250Z",
    }


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_status_that_the_adapters_pollers_know(state: State) -> None:
    status = job_result(Answer(changed(state=state))).status
    expected = "stopped" if state is State.DELETED else state.status.value
    assert status == expected


def test_an_error_is_a_message_and_a_reason_stands_in_for_a_description() -> None:
    failed = job_result(Answer(changed(state=State.FAILED, error=ErrorInfo(type="E", message="no luck"))))
    assert failed.error == "no luck"
    assert job_result(Answer(changed(description="", reason="enough"))).description == "enough"


def test_what_the_adapters_clients_read_after_a_stop_and_a_deletion() -> None:
    assert stop_metadata(changed(state=State.STOPPING)) == {
        "stop_requested": True,
        "requested_status": "stopped",
        "actual_status": "running",
        "stopped": False,
    }
    assert stop_metadata(changed(state=State.STOPPED))["stopped"] is True
    assert delete_metadata(changed(state=State.DELETED)) == {"deleted_confirmed": True, "actual_status": "deleted"}
    assert delete_metadata(changed(state=State.STOPPING))["deleted_confirmed"] is False


def test_a_log_is_split_into_its_streams() -> None:
    page = log_page(LogEntry("stdout", 1.0, "one"), LogEntry("stderr", 1.0, "two"), LogEntry("stdout", 2.0, "three"))
    assert split_streams(page) == {
        "stdout": ["one", "three"],
        "stderr": ["two"],
        "stdout_lines": 7,
        "stderr_lines": 1,
    }


def test_the_parts_of_a_line_are_joined_over_pages() -> None:
    first = log_page(LogEntry("stderr", 1.0, "rest", continues=True), LogEntry("stdout", 1.0, "be"))
    second = log_page(LogEntry("stdout", 2.0, "gun", continues=True), LogEntry("stderr", 2.0, "next"))
    streams = split_streams(first, second)
    assert (streams["stdout"], streams["stderr"]) == (["begun"], ["rest", "next"])


def log_page(*entries: LogEntry) -> LogPage:
    return LogPage(entries=entries, next_cursor=9, end_cursor=9, stdout_lines=7, stderr_lines=1, dropped_lines=0)


@pytest.mark.parametrize(
    ("error", "kind", "job_id"),
    [
        (JobNotFound("a"), "not_found", "a"),
        (JobAlreadyExists("a"), "already_exists", "a"),
        (JobStateInvalid("a", current_status="failed"), "state_invalid", "a"),
        (StoreUnavailable("full", path="x"), None, ""),
        (QueueError(), None, ""),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_errors_become_the_adapters_own_with_their_cause(
    error: QueueError, kind: str | None, job_id: str
) -> None:
    converted = job_error(error)
    assert (converted.kind, converted.job_id, converted.original_error) == (kind, job_id, error)
    assert error.message in str(converted)
    assert converted.details.items() >= error.data.items()

    @raises_job_errors
    async def method() -> None:
        raise error

    with pytest.raises(QueueJobError) as raised:
        await method()
    assert raised.value.original_error is error
    assert raised.value.__cause__ is error


def test_a_state_error_tells_the_adapter_the_actual_status() -> None:
    assert job_error(JobStateInvalid("a", current_status="failed")).details["actual_status"] == "failed"


async def test_other_errors_stay_themselves() -> None:
    @raises_job_errors
    async def method() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await method()


def health(**fields: Any) -> EngineHealth:
    known: dict[str, Any] = {
        "capabilities": Capabilities(backend="sqlite", durable=True, path="/x/queue.db"),
        "counts": Counts(by_state={}),
        "workers": WorkerStatistics(
            started=1,
            idle=1,
            busy=0,
            starting=0,
            crashed_total=0,
            recycled_total=0,
            idle_ended_total=0,
            held_back_by=None,
            pids=(1,),
            last_error=None,
            processes=(),
        ),
        "max_concurrent_jobs": 10,
        "queues": (),
        "jobs_ready": True,
        "now": NOW,
        "waiting_calls": 2,
        "oldest_queued_at": None,
        "issues": (),
    }
    return EngineHealth(**{**known, **fields})


def test_a_healthy_queue_counts_each_job_once() -> None:
    counts = Counts(by_state={state.value: number for number, state in enumerate(State, start=1)})
    report = health_report(health(counts=counts), settings())
    assert (report["status"], report["running"], report["issues"]) == ("healthy", True, [])
    assert report["total_jobs"] == sum(counts.by_state.values()) - counts.by_state["deleted"]
    parts = ("pending_jobs", "running_jobs", "completed_jobs", "failed_jobs", "stopped_jobs")
    assert sum(report[part] for part in parts) == report["total_jobs"]
    assert report["pending_unstarted_jobs"] == counts.by_state["created"]
    assert (report["registry_path"], report["backend"], report["waiting_calls"]) == ("/x/queue.db", "sqlite", 2)
    assert report["workers"]["pids"] == [1] or report["workers"]["pids"] == (1,)


def test_durability_is_told_as_it_is() -> None:
    assert health_report(health(), settings())["durability"] == "full"
    volatile = health(capabilities=Capabilities(backend="sqlite", durable=False))
    report = health_report(volatile, settings())
    assert (report["durable"], report["durability"]) == (False, "none")


def test_an_issue_degrades_and_carries_the_marker_that_the_adapter_looks_for() -> None:
    counts = Counts(by_state={"queued": 3, "working": 2})
    report = health_report(health(counts=counts, issues=("the disk is full",)), settings())
    assert report["status"] == "degraded"
    assert report["issues"] == [
        "the disk is full",
        f"{STARVED_MARKER} (queue degraded): the disk is full; 3 queued, 2 running",
    ]


@pytest.mark.parametrize(
    ("age_seconds", "queued", "running", "status"),
    [
        (60, 3, 0, "degraded"),
        (60, 3, 1, "healthy"),
        (30, 3, 0, "healthy"),
        (-5, 3, 0, "healthy"),
        (60, 0, 0, "healthy"),
    ],
)
def test_a_queue_that_nobody_works_off_is_degraded(age_seconds: float, queued: int, running: int, status: str) -> None:
    counts = Counts(by_state={"queued": queued, "working": running})
    report = health_report(health(counts=counts, oldest_queued_at=NOW - age_seconds, jobs_ready=queued > 0), settings())
    assert report["status"] == status
    assert report["oldest_pending_seconds"] == max(0, age_seconds)
    starved = f"{STARVED_MARKER}: none runs of 3 queued; the oldest waits for 60 s"
    assert report["issues"] == ([starved] if status == "degraded" else [])


def test_a_queue_that_is_both_starved_and_in_trouble_says_both_once() -> None:
    starving = health(counts=Counts(by_state={"queued": 1}), oldest_queued_at=NOW - 31, issues=("no worker starts",))
    issues = health_report(starving, settings())["issues"]
    assert issues == ["no worker starts", f"{STARVED_MARKER}: none runs of 1 queued; the oldest waits for 31 s"]


def test_a_frozen_worker_is_an_issue_that_names_it_and_its_job() -> None:
    facts = WorkerFacts(pid=7, state="busy", job_id="j", jobs_done=3, rss_bytes=1, uptime_seconds=2.0, frozen=True)
    processes = (facts, replace(facts, pid=8, frozen=False), replace(facts, pid=9, state="idle", job_id=None))
    workers = replace(health().workers, processes=processes)
    report = health_report(health(workers=workers), settings())
    assert report["status"] == "degraded"
    assert report["issues"][:-1] == [
        "the worker with pid 7 (busy, with job j) is frozen: stopped by a signal, or stuck in I/O",
        "the worker with pid 9 (idle) is frozen: stopped by a signal, or stuck in I/O",
    ]
    assert report["workers"]["processes"][0]["job_id"] == "j"


def test_a_store_in_memory_is_a_private_temporary_file() -> None:
    first, second = engine_options(settings()), engine_options(settings(in_memory=True, registry_path="/x/queue.db"))
    assert first.temporary
    assert second.temporary
    assert first.path != second.path
    assert (first.durability, first.max_concurrent_jobs, first.workers.min_workers) == ("normal", 10, 1)


def test_a_durable_store_lies_at_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = engine_options(settings(in_memory=False, registry_path="var/queue.db", max_concurrent_jobs=3))
    assert (options.path, options.temporary, options.durability) == (str(tmp_path / "var/queue.db"), False, "full")


def test_the_settings_of_the_workers_become_their_rules() -> None:
    workers = {
        "min": 2,
        "start_timeout_seconds": 3.0,
        "idle_timeout_seconds": 4.0,
        "recycle_after_jobs": 5,
        "recycle_rss_mb": 6,
        "min_free_memory_mb": 7,
        "max_load_per_core": 8.5,
    }
    found = engine_options(load_settings({"queue_plugin": {"workers": workers}}, environ={})).workers
    assert found == WorkerRules(
        min_workers=2,
        start_timeout_seconds=3.0,
        idle_timeout_seconds=4.0,
        recycle_after_jobs=5,
        recycle_rss_bytes=6 * 1024 * 1024,
        min_free_memory_bytes=7 * 1024 * 1024,
        max_load_per_core=8.5,
    )
    assert engine_options(load_settings({}, environ={})).workers == WorkerRules()


def test_no_more_workers_are_kept_than_jobs_may_run() -> None:
    config = {"queue_manager": {"max_concurrent_jobs": 2}, "queue_plugin": {"workers": {"min": 8}}}
    assert engine_options(load_settings(config, environ={})).workers.min_workers == 2


def test_a_worker_is_set_up_as_the_server_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hooks, "_auto_register_modules", ["b", "c"])
    monkeypatch.setattr(hooks, "_hook_modules", [("m", "f")])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    plugin = {"auto_import_modules": ["a", "b"], "workers": {"lasting_threads": ["d.e", "*"]}}
    setup = worker_setup(load_settings({"queue_plugin": plugin}, environ={}).queue_plugin)
    assert setup.runner == RUNNER
    assert setup.auto_import_modules == ("a", "b", "c")
    assert setup.hook_modules == (("m", "f"),)
    assert setup.lasting_threads == ("d.e", "*")
    assert setup.sys_path[0] == str(Path.cwd())
    assert str(tmp_path) in setup.sys_path
    assert all(Path(entry).is_absolute() for entry in setup.sys_path)
