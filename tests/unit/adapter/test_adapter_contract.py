"""The adapter's own code, run against our manager: what changes upstream fails here."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

import pytest
from fastapi import FastAPI
from mcp_proxy_adapter.api import handlers
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.queue import QUEUE_COMMAND_CLASSES, QueueHealthCommand
from mcp_proxy_adapter.commands.result import SuccessResult
from mcp_proxy_adapter.core.domain_errors import DomainError
from mcp_proxy_adapter.core.errors import CommandError, ValidationError
from mcp_proxy_adapter.core.job_push.lifespan_wiring import shutdown_job_push, startup_job_push
from mcp_proxy_adapter.integrations import queuemgr_integration
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError
from mcp_proxy_adapter.integrations.queuemgr_integration.manager import (
    QueueManagerIntegration as AdapterManager,
)

from mcp_queue_plugin.adapter import enqueue, global_manager
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import new_job_id
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from mcp_queue_plugin.errors import InvalidParameters, JobNotFound, StoreUnavailable
from tests.unit.adapter.sample_jobs import AdapterJob
from tests.unit.workers.harness import until

USED = (
    "add_job",
    "start_job",
    "stop_job",
    "delete_job",
    "get_job_status",
    "get_job_logs",
    "list_jobs",
    "get_queue_health",
    "is_running",
    "start",
    "stop",
    "add_terminal_listener",
    "remove_terminal_listener",
    "notify_terminal",
    "register_detached_fallback_job",
    "publish_detached_fallback_result",
    "publish_detached_fallback_error",
    "publish_detached_fallback_stopped",
)

LOGGER = logging.getLogger("test")


@pytest.mark.parametrize("name", [*USED, "__init__"])
def test_our_methods_take_what_the_adapters_take(name: str) -> None:
    theirs, ours = (inspect.signature(getattr(each, name)) for each in (AdapterManager, QueueManagerIntegration))
    assert list(theirs.parameters) == list(ours.parameters)
    for parameter, expected in theirs.parameters.items():
        # The adapter itself always gives all of them to a manager that it builds.
        assert name == "__init__" or ours.parameters[parameter].default == expected.default, parameter
        assert ours.parameters[parameter].kind is expected.kind, parameter
    both = (inspect.iscoroutinefunction(getattr(each, name)) for each in (AdapterManager, QueueManagerIntegration))
    assert len(set(both)) == 1


def test_our_functions_around_the_global_manager_take_what_the_adapters_take() -> None:
    for name in ("init_global_queue_manager", "get_global_queue_manager", "shutdown_global_queue_manager"):
        theirs, ours = (inspect.signature(getattr(each, name)) for each in (queuemgr_integration, global_manager))
        assert [str(each.default) for each in theirs.parameters.values()] == [
            str(each.default) for each in ours.parameters.values()
        ]
        assert list(theirs.parameters) == list(ours.parameters)


async def ask(command: type, **params: Any) -> Any:
    """What the adapter's own command answers."""
    result = await command().execute(**params)
    assert isinstance(result, SuccessResult), result.to_dict()
    return result.data


async def test_the_adapters_own_queue_commands_work_on_our_manager(serving: QueueManagerIntegration) -> None:
    add, start, stop, delete, status, logs, listing, health = QUEUE_COMMAND_CLASSES
    job_id = new_job_id()
    params = {"command": "sample_echo", "params": {"value": "x"}}
    assert (await ask(add, job_type="command_execution", job_id=job_id, params=params))["status"] == "pending"
    assert (await ask(start, job_id=job_id))["status"] in {"pending", "running"}
    await serving.wait_job(job_id, 20)
    read = await ask(status, job_id=job_id)
    assert read["status"] == "completed"
    assert read["result"]["result"]["data"]["value"] == "x"
    assert (await ask(logs, job_id=job_id))["stdout"] == ["echo x"]
    assert job_id in {job["job_id"] for job in (await ask(listing))["jobs"]}
    assert (await ask(health))["running"] is True
    assert (await ask(delete, job_id=job_id))["job_id"] == job_id
    waiting = new_job_id()
    await ask(add, job_type="command_execution", job_id=waiting, params=params)
    assert (await ask(stop, job_id=waiting))["status"] == "stopped"


@pytest.mark.parametrize("index", range(1, 6))
async def test_the_adapters_own_commands_recognize_our_refusals(serving: QueueManagerIntegration, index: int) -> None:
    command: Any = QUEUE_COMMAND_CLASSES[index]
    try:
        error = (await command().execute(job_id="nobody")).to_dict()
    except DomainError as raised:
        error = raised.to_dict()
    assert "JOB_NOT_FOUND" in str(error)


async def test_the_push_engine_of_the_adapter_hears_of_our_ends(serving: QueueManagerIntegration) -> None:
    app = FastAPI()
    await startup_job_push(app, {})
    try:
        job_id = new_job_id()
        app.state.job_push_engine.watch(job_id)
        await serving.submit_job(AdapterJob, job_id, {"do": "nothing"})
        await until(lambda: job_id in app.state.job_push_engine.delivered)
    finally:
        await shutdown_job_push(app)


async def test_listeners_are_told_once_and_no_more_after_their_removal(serving: QueueManagerIntegration) -> None:
    told: list[str] = []
    serving.add_terminal_listener(told.append)
    serving.add_terminal_listener(told.append)
    serving.notify_terminal("by hand")
    job_id = new_job_id()
    await serving.submit_job(AdapterJob, job_id, {"do": "nothing"})
    await until(lambda: job_id in told)
    assert told == ["by hand", job_id]
    serving.remove_terminal_listener(told.append)
    serving.remove_terminal_listener(told.append)
    serving.notify_terminal("again")
    assert len(told) == 2


async def test_both_import_paths_give_the_same_manager_again_and_again(adapter_restored: None) -> None:
    server.set_global_manager(None)
    for _ in range(2):
        with pytest.raises(QueueJobError):
            await global_manager.get_global_queue_manager()
        manager = await global_manager.init_global_queue_manager(
            in_memory=True, max_concurrent_jobs=2, shutdown_timeout=0.0
        )
        assert isinstance(manager, QueueManagerIntegration)
        assert manager.max_concurrent_jobs == 2
        assert manager.registry_path is None
        assert await global_manager.init_global_queue_manager() is manager
        theirs: Any = queuemgr_integration
        assert await theirs.get_global_queue_manager() is manager
        assert await theirs.init_global_queue_manager() is manager
        assert await global_manager.get_global_queue_manager() is manager
        await queuemgr_integration.shutdown_global_queue_manager()
        assert not manager.is_running()
        assert server.global_manager_or_none() is None
        await global_manager.shutdown_global_queue_manager()


async def add_and_read(manager: QueueManagerIntegration) -> str:
    await manager.add_job(AdapterJob, "a", {})
    return str((await manager.get_job_status("a")).status)


def test_the_global_manager_starts_and_stops_on_loop_after_loop(adapter_restored: None) -> None:
    server.set_global_manager(None)
    for _ in range(3):
        asyncio.run(queuemgr_integration.shutdown_global_queue_manager())
        manager = asyncio.run(global_manager.init_global_queue_manager(max_concurrent_jobs=1, shutdown_timeout=0.0))
        assert asyncio.run(add_and_read(manager)) == "pending"
        asyncio.run(global_manager.shutdown_global_queue_manager())


def test_an_adapter_that_has_moved_something_fails_loudly(
    monkeypatch: pytest.MonkeyPatch, adapter_restored: None
) -> None:
    monkeypatch.delattr(handlers, "_enqueue_command")
    with pytest.raises(AttributeError, match=r"no mcp_proxy_adapter\.api\.handlers\._enqueue_command"):
        enqueue.install()


def test_only_the_adapters_own_queue_commands_are_replaced(adapter_restored: None) -> None:
    class Richer(QueueHealthCommand):
        """The application's own queue_health."""

    registry.register(Richer, "custom")
    server.replace_queue_commands(dict(QUEUE_COMMANDS))
    for name, command in QUEUE_COMMANDS.items():
        expected = Richer if name == "queue_health" else command
        assert registry.get_command(name) is expected


def test_our_errors_reach_clients_as_the_adapters_own() -> None:
    refused = server.adapter_error(InvalidParameters("bad", field="a"))
    assert isinstance(refused, ValidationError)
    assert (refused.code, refused.data) == (-32602, {"field": "a"})
    for error in (JobNotFound("a"), StoreUnavailable("full")):
        raised = server.adapter_error(error)
        assert isinstance(raised, CommandError)
        assert (raised.code, raised.message, raised.data) == (-32000, error.message, error.details())
