"""A running manager, in the adapter and out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from mcp_proxy_adapter.api import command_session_service, handlers
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.core.job_push import lifespan_wiring
from mcp_proxy_adapter.integrations import queuemgr_integration
from mcp_proxy_adapter.integrations.queuemgr_integration import global_manager

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.settings import load_settings

SAMPLE_MODULES = ["tests.unit.adapter.sample_commands"]


@pytest.fixture(scope="module")
def manager() -> Iterator[QueueManagerIntegration]:
    """A manager with two workers, started on a loop of its own; every test then uses it from another loop."""
    config = {
        "queue_manager": {"max_concurrent_jobs": 2, "shutdown_timeout": 0.0},
        "queue_plugin": {"auto_import_modules": SAMPLE_MODULES, "workers": {"min": 2}},
    }
    manager = QueueManagerIntegration.from_settings(load_settings(config, environ={}))
    asyncio.run(manager.start())
    yield manager
    asyncio.run(manager.stop())


@pytest.fixture
def adapter_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test replaces in the adapter is put back."""
    for module, name in (
        (handlers, "_enqueue_command"),
        (command_session_service, "get_global_queue_manager"),
        (global_manager, "QueueManagerIntegration"),
        (queuemgr_integration, "QueueManagerIntegration"),
        (global_manager, "_global_queue_manager"),
        (lifespan_wiring, "SubscriberRegistry"),
        (lifespan_wiring, "JobPushEngine"),
        (lifespan_wiring, "_job_push_poll_loop"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    registered = {name: registry.get_command(name) for name in registry.get_all_commands()}
    yield
    for name, command in registered.items():
        if registry.get_all_commands().get(name) is not command:
            registry.register(command, "custom")


@pytest.fixture
def serving(manager: QueueManagerIntegration, adapter_restored: None) -> QueueManagerIntegration:
    """The manager, as the one that the adapter's code finds."""
    server.set_global_manager(manager)
    return manager
