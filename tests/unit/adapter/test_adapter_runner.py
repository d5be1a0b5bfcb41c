"""Commands and jobs in real workers, handed in through the manager."""

from __future__ import annotations

import asyncio
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp_proxy_adapter.commands.hooks import hooks
from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.settings import load_settings
from tests.unit.adapter.sample_jobs import AdapterJob, AdapterSubclassJob, HookedJob, LoudCommandJob
from tests.unit.workers.harness import until

WAIT_SECONDS = 30.0


async def end(manager: QueueManagerIntegration, job_class: type, params: dict[str, Any]) -> QueueJobResult:
    job_id = new_job_id()
    await manager.submit_job(job_class, job_id, params)
    return await manager.wait_job(job_id, WAIT_SECONDS)


async def end_command(manager: QueueManagerIntegration, command: str, **params: Any) -> QueueJobResult:
    return await end(manager, CommandExecutionJob, {"command": command, "params": params})


async def error_of(manager: QueueManagerIntegration, job: QueueJobResult) -> ErrorInfo:
    answer: Answer = await manager.engine.status(job.job_id)
    assert answer.job.error is not None
    return answer.job.error


async def test_a_command_runs_in_a_worker_and_answers_the_adapters_wrapper(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_echo", value="żółć")
    assert job.status == "completed"
    assert job.result["job_id"] == job.job_id
    assert (job.result["command"], job.result["status"]) == ("sample_echo", "completed")
    envelope = job.result["result"]
    assert envelope["success"] is True
    assert (envelope["data"]["value"], envelope["data"]["job"]) == ("żółć", job.job_id)
    assert envelope["data"]["pid"] != os.getpid()
    assert (await manager.get_job_logs(job.job_id))["stdout"] == ["echo żółć"]


async def test_the_adapters_own_command_job_is_run_like_ours(manager: QueueManagerIntegration) -> None:
    params = {"command": "sample_echo", "params": {"value": "x"}, "context": {"user": {"id": "me"}}}
    job = await end(manager, AdapterCommandExecutionJob, params)
    assert job.result["result"]["data"]["user"] == {"id": "me"}


async def test_subclasses_of_the_command_jobs_run_as_they_are(manager: QueueManagerIntegration) -> None:
    params = {"command": "sample_echo", "params": {"value": "x"}}
    ours = await end(manager, LoudCommandJob, params)
    assert ours.result["result"]["data"]["value"] == "x"
    assert (await manager.get_job_logs(ours.job_id))["stdout"] == ["loud", "echo x"]
    theirs = await end(manager, AdapterSubclassJob, params)
    assert (theirs.status, theirs.result) == ("completed", {"ran": "sample_echo"})


async def test_a_command_reports_through_the_progress_tracker(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_progress")
    assert (job.status, job.progress, job.description) == ("completed", 100, "half way")


async def test_a_command_that_raises_fails_with_type_message_and_traceback(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_raise")
    assert (job.status, job.error) == ("failed", "plain trouble")
    error = await error_of(manager, job)
    assert (error.type, error.code) == ("LookupError", None)
    assert error.traceback_tail is not None
    assert 'raise LookupError("plain trouble")' in error.traceback_tail
    assert "LookupError: plain trouble" in (await manager.get_job_logs(job.job_id))["stderr"]


async def test_the_adapters_own_errors_keep_their_code(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_raise", typed=True)
    assert job.error == "typed trouble"
    error = await error_of(manager, job)
    assert (error.type, error.code) == ("CommandError", -32000)


async def test_a_command_that_returns_an_error_completes_with_it(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_refuse")
    assert job.status == "completed"
    assert job.result["result"]["success"] is False
    assert job.result["result"]["error"]["message"] == "not today"
    assert (await manager.engine.status(job.job_id)).job.completed_with_error


@pytest.mark.parametrize("code", ["E42", 2**63, -(2**63) - 1, 1.5, True, None])
async def test_an_error_with_a_code_that_is_none_is_told_all_the_same(
    manager: QueueManagerIntegration, code: Any
) -> None:
    job = await end_command(manager, "sample_raise_coded", code=code)
    assert (job.status, job.error) == ("failed", "coded trouble")
    error = await error_of(manager, job)
    assert (error.type, error.code) == ("MicroserviceError", None)


async def test_parameters_that_fail_the_schema_fail_the_job(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_echo", value=7)
    assert job.status == "failed"
    assert (await error_of(manager, job)).type == "ValidationError"


async def test_a_result_that_is_not_json_fails_the_job_and_says_where(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_unspeakable")
    assert (job.status, job.error) == (
        "failed",
        "result.result.data.rows[1].when is not JSON: a value of type object",
    )


async def test_a_run_of_its_own_is_honoured(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_override")
    assert job.result["result"]["data"] == {"wrapped": {"success": True, "data": {"inner": True}}}


async def test_a_command_that_no_worker_knows_fails_by_name(manager: QueueManagerIntegration) -> None:
    job = await end_command(manager, "sample_nowhere")
    assert (job.status, job.error) == ("failed", "the command 'sample_nowhere' is not registered in the worker")
    assert (await error_of(manager, job)).type == "CommandUnknown"


async def test_a_class_that_no_worker_can_find_fails_by_name(manager: QueueManagerIntegration) -> None:
    class Local(AdapterJob):
        pass

    job = await end(manager, Local, {"do": "nothing"})
    assert job.status == "failed"
    assert job.error is not None
    assert "<locals>.Local' cannot be found in a worker" in job.error
    assert (await error_of(manager, job)).type == "TargetNotFound"


async def test_modules_that_a_job_names_are_imported_for_it(manager: QueueManagerIntegration) -> None:
    modules = ["tests.unit.adapter.late_command"]
    job = await end(manager, CommandExecutionJob, {"command": "sample_late", "auto_import_modules": modules})
    assert job.result["result"]["data"] == {"here": True}


async def test_a_module_that_cannot_be_imported_is_named_with_its_traceback(manager: QueueManagerIntegration) -> None:
    modules = ["tests.unit.adapter.broken_module"]
    job = await end(manager, CommandExecutionJob, {"command": "sample_missing", "auto_import_modules": modules})
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.endswith("modules that failed to import in the worker: tests.unit.adapter.broken_module")
    tail = (await error_of(manager, job)).traceback_tail
    assert tail is not None
    assert "RuntimeError: this module is broken" in tail


@pytest.mark.parametrize(
    ("params", "status", "result", "error"),
    [
        ({"do": "result"}, "completed", {"rows": 3, "description": "all rows"}, None),
        ({"do": "nothing"}, "completed", {}, None),
        ({"do": "stopped"}, "stopped", {}, None),
        ({"do": "raising"}, "failed", {}, "broken rows"),
        ({"do": "raising_unspeaking"}, "failed", {}, "Unspeaking"),
        ({"do": "raising_oddly_worded"}, "failed", {}, "no luck at all"),
        ({"do": "unspeakable"}, "failed", {}, "result.rows.first is not JSON: a value of type set"),
        ({"do": "own_loop"}, "completed", {"answer": 42}, None),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) and "do" in value else None,
)
async def test_a_job_class_runs_to_its_end(
    manager: QueueManagerIntegration, params: dict[str, Any], status: str, result: Any, error: str | None
) -> None:
    job = await end(manager, AdapterJob, params)
    assert (job.status, job.result, job.error) == (status, result, error)


async def test_a_failed_job_keeps_the_result_it_set(manager: QueueManagerIntegration) -> None:
    job = await end(manager, AdapterJob, {"do": "record_error"})
    assert (job.status, job.error, job.description) == ("failed", "no rows", "no rows")
    assert job.result["code"] == 7


async def test_a_class_of_queuemgr_runs_unchanged(manager: QueueManagerIntegration) -> None:
    assert (await end(manager, HookedJob, {"result": {"n": 1}})).result == {"n": 1}


async def test_a_running_job_is_asked_to_stop(manager: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    await manager.submit_job(AdapterJob, job_id, {"do": "long"})
    job = (await manager.engine.status(job_id)).job
    while job.description != "long":
        job = (await manager.engine.status(job_id, wait_seconds=WAIT_SECONDS, known_version=job.version)).job
    stopped = await manager.stop_job(job_id)
    assert (stopped.status, stopped.metadata["stopped"]) == ("stopped", True)
    assert (await manager.get_job_status(job_id)).result == {"done": "in part"}


async def test_a_raising_terminal_listener_harms_nobody(
    manager: QueueManagerIntegration, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def raising(job_id: str) -> None:
        raise RuntimeError("a listener of the application")

    manager.add_terminal_listener(raising)
    manager.add_terminal_listener(told.append)
    try:
        jobs = await asyncio.wait_for(asyncio.gather(*(end_command(manager, "sample_echo") for _ in range(20))), 10)
        await until(lambda: len(told) == 20)
    finally:
        manager.remove_terminal_listener(raising)
        manager.remove_terminal_listener(told.append)
    assert {job.status for job in jobs} == {"completed"}
    assert "a listener of the application" in caplog.text


async def test_hooks_and_the_environment_name_commands_and_failed_imports_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MCP_AUTO_REGISTER_MODULES", " tests.unit.adapter.environment_command ,, ")
    monkeypatch.setattr(hooks, "_hook_modules", [("tests.unit.adapter.hooked_command", "register")])
    config = {
        "queue_manager": {"max_concurrent_jobs": 1, "shutdown_timeout": 0.0},
        "queue_plugin": {"auto_import_modules": ["tests.unit.adapter.broken_module"]},
    }
    manager = QueueManagerIntegration.from_settings(load_settings(config, environ={}))
    await manager.start()
    try:
        for command in ("sample_environment", "sample_hooked"):
            assert (await end_command(manager, command)).result["result"]["data"] == {"here": True}
        missing = await end_command(manager, "sample_missing")
        assert missing.error is not None
        assert "tests.unit.adapter.broken_module" in missing.error
    finally:
        await manager.stop()
    assert "The module tests.unit.adapter.broken_module cannot be imported in a worker" in caplog.text
    assert "RuntimeError: this module is broken" in caplog.text


async def test_what_only_the_server_knows_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    import_module("tests.unit.adapter.sample_commands")
    manager = QueueManagerIntegration(max_concurrent_jobs=1, shutdown_timeout=0.0)
    await manager.start()
    try:
        await until(lambda: "The command sample_echo is registered in the server only" in caplog.text)
    finally:
        await manager.stop()


async def test_jobs_survive_the_manager_with_a_durable_store(tmp_path: Path) -> None:
    path = str(tmp_path / "queue.jsonl")
    first = QueueManagerIntegration(registry_path=path, in_memory=False, max_concurrent_jobs=1, shutdown_timeout=0.0)
    await first.start()
    await first.add_job(AdapterJob, "waits", {"do": "result"})
    done = await end(first, AdapterJob, {"do": "own_loop"})
    await first.stop()
    await first.stop()
    second = QueueManagerIntegration(registry_path=path, in_memory=False, max_concurrent_jobs=1)
    await second.start()
    try:
        assert (await second.get_job_status(done.job_id)).result == {"answer": 42}
        await second.start_job("waits")
        assert (await second.wait_job("waits", WAIT_SECONDS)).status == "completed"
    finally:
        await second.stop()
