"""A queue of one's own, with two workers that know the commands of ``sample_commands``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from mcp_proxy_adapter.commands.hooks import register_auto_import_module

from mcp_queue_plugin import QueueManagerIntegration, init_global_queue_manager, shutdown_global_queue_manager


@pytest.fixture
async def manager() -> AsyncIterator[QueueManagerIntegration]:
    register_auto_import_module("tests.fundamentals.sample_commands")
    yield await init_global_queue_manager(in_memory=True, max_concurrent_jobs=2, shutdown_timeout=1)
    await shutdown_global_queue_manager()
