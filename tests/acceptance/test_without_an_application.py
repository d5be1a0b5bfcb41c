"""The manager by itself: no application, any event loop, any thread."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.integrations import queuemgr_integration as adapter

from mcp_queue_plugin import (
    CommandExecutionJob,
    QueueJobError,
    QueueManagerIntegration,
    QueueOptions,
    get_global_queue_manager,
    init_global_queue_manager,
    shutdown_global_queue_manager,
)
from mcp_queue_plugin.errors import EngineStartFailed
from tests.acceptance.app import manager_scripts
from tests.acceptance.app.jobs import DoubleJob, HooksJob, PatientJob, RaisingJob
from tests.acceptance.harness import processes
from tests.acceptance.harness.configuration import MODULES
from tests.acceptance.harness.waiting import until

SECONDS = 20.0

LIFE = ("The queue is starting", "The queue is open", "The queue is stopping", "The queue has stopped")
"""What the log says of it, wherever it runs."""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left = {child.pid for child in psutil.Process().children(recursive=True)} - before
    assert not left


@pytest.fixture
async def manager() -> AsyncIterator[QueueManagerIntegration]:
    yield await init_global_queue_manager(in_memory=True, max_concurrent_jobs=2)
    await shutdown_global_queue_manager()


async def test_a_job_from_add_to_result(manager: QueueManagerIntegration) -> None:
    added = await manager.add_job(DoubleJob, "job", {"number": 4})
    assert (added.job_id, added.status, added.progress, added.result, added.error) == ("job", "pending", 0, {}, None)
    started = await manager.start_job("job")
    assert started.status in ("pending", "running", "completed")
    ended = await manager.wait_job("job", SECONDS)
    assert (ended.status, ended.result, ended.progress) == ("completed", {"doubled": 8}, 100)
    assert ended.description == "doubling"
    assert ended.created_at
    assert ended.started_at
    assert ended.completed_at
    assert (await manager.get_job_status("job")).result == {"doubled": 8}
    logs = await manager.get_job_logs("job")
    assert logs == {"job_id": "job", "stdout": ["doubling 4"], "stderr": [], "stdout_lines": 1, "stderr_lines": 0}


async def test_starting_a_started_job_changes_nothing(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(PatientJob, "job", {})
    assert (await manager.start_job("job")).status in ("pending", "running")
    assert (await manager.start_job("job")).status in ("pending", "running")
    assert (await manager.stop_job("job")).status == "stopped"


async def test_a_command_runs_whichever_class_names_it(manager: QueueManagerIntegration) -> None:
    params = {"command": "add_numbers", "params": {"a": 2, "b": 3}, "auto_import_modules": list(MODULES)}
    for number, job_class in enumerate((CommandExecutionJob, AdapterCommandExecutionJob)):
        await manager.submit_job(job_class, f"job-{number}", params)
        ended = await manager.wait_job(f"job-{number}", SECONDS)
        assert ended.result == {
            "job_id": f"job-{number}",
            "command": "add_numbers",
            "result": {"success": True, "data": {"sum": 5}},
            "status": "completed",
        }


async def test_a_failed_job_says_why(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(RaisingJob, "job", {})
    ended = await manager.wait_job("job", SECONDS)
    assert (ended.status, ended.error) == ("failed", "no such page")


async def test_a_wait_that_is_too_short_answers_the_record_as_it_is(manager: QueueManagerIntegration) -> None:
    await manager.add_job(DoubleJob, "job", {"number": 1})
    assert (await manager.wait_job("job", 0.05)).status == "pending"


async def test_stop_and_delete_tell_how_it_went(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(PatientJob, "job", {})
    stopped = await manager.stop_job("job")
    assert (stopped.status, stopped.metadata["stopped"]) == ("stopped", True)
    deleted = await manager.delete_job("job")
    assert (deleted.status, deleted.metadata["deleted_confirmed"]) == ("deleted", True)
    assert (await manager.get_job_status("job")).status == "stopped"
    assert "job" not in {job.job_id for job in await manager.list_jobs()}


async def test_all_jobs_are_listed_and_counted(manager: QueueManagerIntegration) -> None:
    for number in range(5):
        await manager.submit_job(HooksJob, f"job-{number}", {})
        await manager.wait_job(f"job-{number}", SECONDS)
    await manager.add_job(HooksJob, "created", {})
    listed = await manager.list_jobs()
    assert [job.job_id for job in listed] == ["created", *(f"job-{number}" for number in range(4, -1, -1))]
    health = await manager.get_queue_health()
    counts = {name: health[name] for name in ("total_jobs", "pending_jobs", "running_jobs", "completed_jobs")}
    assert counts == {"total_jobs": 6, "pending_jobs": 1, "running_jobs": 0, "completed_jobs": 5}
    assert (health["status"], health["running"], health["max_concurrent_jobs"]) == ("healthy", True, 2)


async def test_refusals_have_a_kind(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(HooksJob, "job", {})
    await manager.wait_job("job", SECONDS)
    assert await kind_of(manager.get_job_status("nobody")) == "not_found"
    assert await kind_of(manager.get_job_logs("nobody")) == "not_found"
    assert await kind_of(manager.add_job(HooksJob, "job", {})) == "already_exists"
    assert await kind_of(manager.start_job("job")) == "state_invalid"
    assert await kind_of(manager.stop_job("job")) == "state_invalid"
    assert await kind_of(manager.add_job(HooksJob, "odd", {"x": {1}})) is None
    assert [job.job_id for job in await manager.list_jobs()] == ["job"]


async def kind_of(call: Any) -> str | None:
    with pytest.raises(QueueJobError) as refused:
        await call
    return refused.value.kind


async def test_options_of_a_job(manager: QueueManagerIntegration) -> None:
    await manager.submit_job(PatientJob, "job", {}, QueueOptions(stop_grace_seconds=0.0))
    assert (await manager.stop_job("job")).status == "stopped"


async def test_a_terminal_listener_hears_of_each_end_once(manager: QueueManagerIntegration) -> None:
    heard: list[str] = []
    manager.add_terminal_listener(heard.append)
    manager.add_terminal_listener(heard.append)
    jobs = [f"job-{number}" for number in range(20)]
    for job_id in jobs:
        await manager.submit_job(HooksJob, job_id, {})
    await manager.add_job(HooksJob, "never-started", {})
    await manager.stop_job("never-started")
    for job_id in jobs:
        await manager.wait_job(job_id, SECONDS)
    await manager.get_queue_health()
    assert sorted(heard) == sorted([*jobs, "never-started"])
    manager.remove_terminal_listener(heard.append)
    await manager.submit_job(HooksJob, "unheard", {})
    await manager.wait_job("unheard", SECONDS)
    await manager.get_queue_health()
    assert "unheard" not in heard


async def test_both_import_paths_answer_the_same_manager(manager: QueueManagerIntegration) -> None:
    assert id(await adapter.get_global_queue_manager()) == id(manager)
    assert id(await get_global_queue_manager()) == id(manager)
    assert id(await adapter.init_global_queue_manager(in_memory=True)) == id(manager)


async def test_a_shutdown_can_be_repeated() -> None:
    await adapter.init_global_queue_manager(in_memory=True, max_concurrent_jobs=2)
    manager = await get_global_queue_manager()
    await manager.stop()
    await manager.stop()
    assert not manager.is_running()
    await shutdown_global_queue_manager()
    await adapter.shutdown_global_queue_manager()
    with pytest.raises(QueueJobError):
        await get_global_queue_manager()
    with pytest.raises(QueueJobError, match="not running"):
        await manager.list_jobs()


def test_it_starts_again_and_again_on_different_event_loops() -> None:
    for number in range(3):
        assert asyncio.run(manager_scripts.double(number)) == 2 * number


def test_one_manager_serves_one_event_loop_after_the_other(tmp_path: Path) -> None:
    path = str(tmp_path / "queue.db")
    asyncio.run(init_global_queue_manager(registry_path=path, in_memory=False, max_concurrent_jobs=1))
    try:
        assert asyncio.run(manager_scripts.double_with_running_manager("first", 2)) == 4
        assert asyncio.run(manager_scripts.double_with_running_manager("second", 3)) == 6
    finally:
        asyncio.run(shutdown_global_queue_manager())


def test_it_runs_in_a_daemon_thread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(manager_scripts.double(21))), daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert answers == [42]
    assert_told(caplog.text, *LIFE)


def test_it_runs_in_a_daemonic_process() -> None:
    script = run_script("double_in_daemonic_process")
    assert script.stdout == "42\n"
    assert_told(script.stderr, *LIFE)


def test_its_start_and_its_end_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asyncio.run(manager_scripts.double(1))
    assert_told(caplog.text, *LIFE)


def test_a_start_that_fails_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(EngineStartFailed):
        asyncio.run(manager_scripts.double(1))
    assert_told(caplog.text, "The queue is starting", "The queue did not start: ", str(tmp_path / "nothing"))


def assert_told(log: str, *texts: str) -> None:
    """Each of the texts is in the log, in this order."""
    assert re.search(".*".join(map(re.escape, texts)), log, re.DOTALL), log


def test_a_script_that_forgets_to_shut_down_leaves_nothing() -> None:
    pid = int(run_script("forget_to_shut_down").stdout)
    until(lambda: not processes.is_alive(pid), "its engine is gone", 2)


def run_script(function: str) -> subprocess.CompletedProcess[str]:
    """How a program ends that calls ``function`` of ``manager_scripts``."""
    code = f"from tests.acceptance.app import manager_scripts\nif __name__ == '__main__': manager_scripts.{function}()"
    script = [sys.executable, "-c", code]
    return subprocess.run(script, capture_output=True, text=True, timeout=SECONDS, check=True)


class TestCommandsOfTheServersOwnProcess:
    """What the adapter hands over when a synchronous command takes too long."""

    async def test_its_result_is_served_like_any_other(self, manager: QueueManagerIntegration) -> None:
        manager.register_detached_fallback_job("job", "slow", asyncio.get_running_loop().create_future())
        running = await manager.get_job_status("job")
        assert (running.status, running.error) == ("running", None)
        assert [job.job_id for job in await manager.list_jobs()] == ["job"]
        manager.publish_detached_fallback_result("job", "slow", {"success": True, "data": {"pages": 2}})
        ended = await manager.wait_job("job", SECONDS)
        assert (ended.status, ended.error) == ("completed", None)
        assert ended.result["result"] == {"success": True, "data": {"pages": 2}}
        assert (await manager.delete_job("job")).status == "deleted"

    async def test_its_failure_too(self, manager: QueueManagerIntegration) -> None:
        manager.register_detached_fallback_job("job", "slow")
        manager.publish_detached_fallback_error("job", "slow", "no paper", {"success": False})
        ended = await manager.wait_job("job", SECONDS)
        assert (ended.status, ended.error) == ("failed", "no paper")

    async def test_one_that_may_be_cancelled_is(self, manager: QueueManagerIntegration) -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.add_done_callback(lambda _: manager.publish_detached_fallback_stopped("job", "slow"))
        manager.register_detached_fallback_job("job", "slow", task, cancellable=True)
        assert (await manager.stop_job("job")).status == "stopped"
        assert task.cancelled()

    async def test_another_runs_on_and_its_late_result_is_kept(self, manager: QueueManagerIntegration) -> None:
        manager.register_detached_fallback_job("job", "slow", asyncio.get_running_loop().create_future())
        stop = asyncio.ensure_future(manager.stop_job("job"))
        while not (await manager.get_queue_health())["waiting_calls"]:
            assert not stop.done()
        manager.publish_detached_fallback_result("job", "slow", {"success": True})
        stopped = await stop
        assert stopped.status == "stopped"
        assert (await manager.get_job_status("job")).result["result"] == {"success": True}
