from __future__ import annotations

import pytest

from mcp_queue_plugin.adapter import job_types
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.job_types import register_job_type
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS
from tests.unit.adapter import sample_commands
from tests.unit.adapter.fixtures import adapter_restored, manager, serving
from tests.unit.adapter.sample_jobs import AdapterJob

__all__ = ["adapter_restored", "manager", "serving"]


@pytest.fixture(autouse=True)
def installed(serving: QueueManagerIntegration, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sample_commands.COMMANDS
    monkeypatch.setattr(job_types, "_types", dict(job_types._types))
    register_job_type("rows", AdapterJob)
    server.replace_queue_commands(dict(QUEUE_COMMANDS))
