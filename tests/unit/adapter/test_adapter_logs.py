"""What commands and jobs of the adapter write is in their log, all of it and nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.model.log_pages import PAGE_BYTES
from mcp_queue_plugin.model.queries import LogQuery
from mcp_queue_plugin.settings import load_settings
from tests.unit.adapter.log_commands import WAYS, FailingAdapterJob, FailingQueuemgrJob

JOBS_IN_A_ROW = 1000
WAIT_SECONDS = 60.0
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
LOGGER = "tests.unit.adapter.log_commands"


@pytest.fixture(scope="module")
def manager() -> Iterator[QueueManagerIntegration]:
    """A manager with one worker, which no job is to cost."""
    config = {
        "queue_manager": {"max_concurrent_jobs": 1, "shutdown_timeout": 0.0},
        "queue_plugin": {
            "auto_import_modules": ["tests.unit.adapter.log_commands"],
            "workers": {"recycle_after_jobs": None},
            "limits": {"log_bytes": 3_000_000},
        },
    }
    manager = QueueManagerIntegration.from_settings(load_settings(config, environ={}))
    asyncio.run(manager.start())
    yield manager
    asyncio.run(manager.stop())


async def run(manager: QueueManagerIntegration, command: str, **params: Any) -> dict[str, Any]:
    """The log of a command's job that has ended."""
    return await run_job(manager, CommandExecutionJob, {"command": command, "params": params})


async def run_job(manager: QueueManagerIntegration, job_class: type, params: dict[str, Any]) -> dict[str, Any]:
    job_id = new_job_id()
    await manager.submit_job(job_class, job_id, params)
    await manager.wait_job(job_id, WAIT_SECONDS)
    return await manager.get_job_logs(job_id)


async def test_each_of_a_thousand_jobs_in_a_row_has_its_own_lines(manager: QueueManagerIntegration) -> None:
    names = [f"job-{number}" for number in range(JOBS_IN_A_ROW)]
    for name in names:
        await manager.submit_job(CommandExecutionJob, name, {"command": "log_every_way", "params": {"name": name}})
    workers = set()
    for name in names:
        ended = await manager.wait_job(name, WAIT_SECONDS)
        workers.add(ended.result["result"]["data"]["pid"])
        log = await manager.get_job_logs(name)
        assert sorted(log["stdout"]) == sorted(f"{name} {way}" for way in WAYS["stdout"])
        records = [re.sub(rf"^{STAMP} INFO {LOGGER}: ", "", line) for line in log["stderr"]]
        assert sorted(records) == sorted(f"{name} {way}" for way in WAYS["stderr"])
        assert (log["stdout_lines"], log["stderr_lines"]) == (len(WAYS["stdout"]), len(WAYS["stderr"]))
    assert len(workers) == 1


async def test_records_are_in_the_log_with_the_time(manager: QueueManagerIntegration) -> None:
    log = await run(manager, "log_records")
    assert log["stdout"] == []
    through_root, through_name, with_traceback, *rest = log["stderr"]
    assert re.fullmatch(rf"{STAMP} WARNING root: through the root", through_root)
    assert re.fullmatch(rf"{STAMP} INFO {LOGGER}: through a name", through_name)
    assert re.fullmatch(rf"{STAMP} ERROR {LOGGER}: with a traceback", with_traceback)
    assert (rest[0], rest[-1]) == ("Traceback (most recent call last):", "KeyError: 'lost'")


@pytest.mark.parametrize(("name", "record"), [("gentle", rf"{STAMP} INFO {LOGGER}: configured"), ("force", "mine: .*")])
async def test_a_job_may_configure_logging_for_itself_but_not_for_others(
    manager: QueueManagerIntegration, name: str, record: str
) -> None:
    log = await run(manager, "log_configure", name=name)
    assert len(log["stderr"]) == 1
    assert re.fullmatch(record, log["stderr"][0])
    await test_records_are_in_the_log_with_the_time(manager)


async def test_each_line_has_the_time_of_its_reading(manager: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    await manager.submit_job(CommandExecutionJob, job_id, {"command": "log_configure", "params": {"name": "force"}})
    job = (await manager.engine.status(job_id, wait_seconds=WAIT_SECONDS, until="end")).job
    (entry,) = (await manager.engine.log(job_id, LogQuery())).entries
    assert job.created_at <= entry.written_at <= (job.completed_at or 0.0)


@pytest.mark.parametrize("job_class", [FailingAdapterJob, FailingQueuemgrJob])
async def test_the_traceback_of_a_job_that_fails_is_in_its_log(
    manager: QueueManagerIntegration, job_class: type
) -> None:
    log = await run_job(manager, job_class, {})
    assert log["stderr"][0] == "Traceback (most recent call last):"
    assert log["stderr"][-1].startswith("LookupError: a")
    assert any("in run" in line or "in execute" in line for line in log["stderr"])


@pytest.mark.parametrize("ruined", ["unharmed", "closed", "replaced"])
async def test_the_traceback_is_there_whatever_the_job_has_made_of_its_stderr(
    manager: QueueManagerIntegration, ruined: str
) -> None:
    log = await run(manager, "log_ruin", name=ruined)
    assert log["stderr"][0] in {"beforeTraceback (most recent call last):", "Traceback (most recent call last):"}
    assert f"LookupError: stderr is {ruined}" in log["stderr"]
    await test_records_are_in_the_log_with_the_time(manager)


async def test_a_job_that_closes_its_descriptor_fails_all_the_same(manager: QueueManagerIntegration) -> None:
    job_id = new_job_id()
    params = {"command": "log_ruin", "params": {"name": "no descriptor"}}
    await manager.submit_job(CommandExecutionJob, job_id, params)
    ended = await manager.wait_job(job_id, WAIT_SECONDS)
    assert (ended.status, ended.error) == ("failed", "stderr is no descriptor")
    await test_records_are_in_the_log_with_the_time(manager)


async def test_the_manager_answers_all_lines_that_are_kept(manager: QueueManagerIntegration) -> None:
    log = await run(manager, "log_lines", count=20_000)
    assert log["stdout"] == [f"line {number} ".ljust(99, ".") for number in range(20_000)]
    assert len(log["stdout"]) * 100 > PAGE_BYTES
    assert (log["stdout_lines"], log["stderr_lines"]) == (20_000, 0)
    log = await run(manager, "log_lines", count=40_000)
    assert log["stdout_lines"] == 40_000
    dropped = 40_000 - len(log["stdout"])
    assert log["stdout"] == [f"line {number} ".ljust(99, ".") for number in range(dropped, 40_000)]
    assert 2_800_000 < len(log["stdout"]) * 100 <= 3_000_000
