"""Job classes of all kinds, each unchanged, in warm workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobResult

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.settings import load_settings
from tests.unit.adapter import sample_jobs
from tests.unit.adapter.fixtures import SAMPLE_MODULES
from tests.unit.adapter.sample_jobs import AdapterJob, ClumsyJob, HookedCommandJob, LateJob

WAIT_SECONDS = 30.0


async def end(manager: QueueManagerIntegration, job_class: type, params: dict[str, Any]) -> QueueJobResult:
    job_id = new_job_id()
    await manager.submit_job(job_class, job_id, params)
    return await manager.wait_job(job_id, WAIT_SECONDS)


async def log_of(manager: QueueManagerIntegration, job: QueueJobResult, stream: str) -> list[str]:
    lines: list[str] = (await manager.get_job_logs(job.job_id))[stream]
    return lines


@pytest.mark.parametrize(
    ("params", "error_type", "message", "result"),
    [
        ({"do": "exit", "code": 3}, "SystemExit", "the job called sys.exit(3); a job ends by returning", {}),
        ({"do": "exit", "code": None}, "SystemExit", "the job called sys.exit(None); a job ends by returning", {}),
        ({"do": "interrupt"}, "KeyboardInterrupt", "KeyboardInterrupt", {}),
        ({"do": "result_then_error"}, "ValueError", "broken rows", {"rows": 1}),
        ({"do": "odd_result_then_error"}, "ValueError", "broken rows", {}),
        ({"do": "record_error"}, "JobFailed", "no rows", None),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) and "do" in value else "",
)
async def test_a_job_that_fails_says_how(
    manager: QueueManagerIntegration, params: dict[str, Any], error_type: str, message: str, result: Any
) -> None:
    job = await end(manager, AdapterJob, params)
    assert (job.status, job.error) == ("failed", message)
    error = (await manager.engine.status(job.job_id)).job.error
    assert error is not None
    assert error.type == error_type
    assert result is None or job.result == result


async def test_the_worker_goes_on_after_a_job_that_called_exit(manager: QueueManagerIntegration) -> None:
    before = (await manager.engine.health()).workers
    for _ in range(3):
        await end(manager, AdapterJob, {"do": "exit", "code": 1})
    after = (await manager.engine.health()).workers
    assert (after.started, after.crashed_total) == (before.started, before.crashed_total)


async def test_what_a_forked_process_raises_is_its_own_end(manager: QueueManagerIntegration) -> None:
    job = await end(manager, AdapterJob, {"do": "fork", "code": 3})
    assert (job.status, job.result) == ("completed", {"child": 3})
    assert "Traceback" not in "".join(await log_of(manager, job, "stderr"))


async def test_a_hook_that_raises_fails_the_job_and_is_in_its_log(manager: QueueManagerIntegration) -> None:
    job = await end(manager, ClumsyJob, {"fails_in": ["on_end", "on_error"]})
    assert (job.status, job.error) == ("failed", "stumbled in on_end")
    assert "RuntimeError: stumbled in on_error" in await log_of(manager, job, "stderr")


async def test_an_init_of_its_own_is_called_with_id_and_parameters(manager: QueueManagerIntegration) -> None:
    job = await end(manager, LateJob, {"x": 1})
    assert job.result == {"rows": 7, "job": job.job_id, "same": True}


@pytest.mark.parametrize(
    ("job_class", "error_type"),
    [
        (sample_jobs.StrangeJob, "TypeError"),
        (sample_jobs.RestingJob, "NotImplementedError"),
        (sample_jobs.AsyncJob, "TypeError"),
    ],
)
async def test_a_class_that_cannot_run_fails_with_the_reason(
    manager: QueueManagerIntegration, job_class: type, error_type: str
) -> None:
    job = await end(manager, job_class, {})
    error = (await manager.engine.status(job.job_id)).job.error
    assert error is not None
    assert (job.status, error.type) == ("failed", error_type)


async def test_a_command_job_runs_with_hooks_and_a_run_of_its_own(manager: QueueManagerIntegration) -> None:
    job = await end(manager, HookedCommandJob, {"command": "sample_echo", "params": {"value": "x"}})
    assert job.result["result"]["data"]["value"] == "x"
    assert await log_of(manager, job, "stdout") == ["on_start", "run", "echo x", "ran", "on_end"]


async def test_a_command_job_that_is_stopped_calls_its_hook(manager: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    await manager.submit_job(HookedCommandJob, job_id, {"command": "sample_for_ever"})
    await reached(manager, job_id, "for ever")
    await manager.stop_job(job_id)
    ended = await manager.wait_job(job_id, WAIT_SECONDS)
    assert ended.status == "stopped"
    assert await log_of(manager, ended, "stdout") == ["on_start", "run", "on_stop"]


async def test_an_heir_of_the_adapters_command_job_does_as_the_adapter(manager: QueueManagerIntegration) -> None:
    job = await end(manager, sample_jobs.AdapterHeirJob, {"command": "sample_echo", "params": {"value": "x"}})
    assert (job.status, job.progress) == ("completed", 100)
    assert job.result["result"]["data"]["value"] == "x"
    assert await log_of(manager, job, "stdout") == ["before", "echo x"]


async def test_the_lines_of_the_adapters_loggers_are_in_the_jobs_log(manager: QueueManagerIntegration) -> None:
    job = await end(manager, AdapterJob, {"do": "log_lines"})
    lines = await log_of(manager, job, "stderr")
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO mcp_proxy_adapter: a line of the adapter's logger",
        "WARNING an.application: a line of another",
    ]


async def test_the_job_is_found_from_everywhere_in_its_process_and_nowhere_else(
    manager: QueueManagerIntegration,
) -> None:
    job = await end(manager, AdapterJob, {"do": "speak_from_everywhere"})
    assert job.status == "completed", job.error
    assert set(job.result["found"]) == {job.job_id}
    assert job.result["children"] == {"fork": "not in a job", "spawn": "not in a job"}


async def reached(manager: QueueManagerIntegration, job_id: str, description: str) -> None:
    job = (await manager.engine.status(job_id)).job
    while job.description != description:
        job = (await manager.engine.status(job_id, wait_seconds=WAIT_SECONDS, known_version=job.version)).job


@pytest.fixture
def patched() -> Iterator[dict[str, Any]]:
    """The configuration of an application that patches the adapter's class when it is imported."""
    original = AdapterCommandExecutionJob.run
    modules = [*SAMPLE_MODULES, "tests.unit.adapter.patching_module"]
    yield {"queue_plugin": {"auto_import_modules": modules}, "queue_manager": {"max_concurrent_jobs": 1}}
    assert AdapterCommandExecutionJob.run is original


async def test_a_patch_of_the_adapters_class_does_no_harm(patched: dict[str, Any]) -> None:
    manager = QueueManagerIntegration.from_settings(load_settings(patched, environ={}))
    await manager.start()
    try:
        for job_class in (AdapterCommandExecutionJob, HookedCommandJob):
            job = await end(manager, job_class, {"command": "sample_progress"})
            assert (job.status, job.description) == ("completed", "half way")
            assert "patched" not in await log_of(manager, job, "stdout")
    finally:
        await manager.stop()
