"""Durable, fast, process-isolated background jobs for servers built on mcp-proxy-adapter.

    app = create_app(app_config=config)  # the adapter's own factory
    QueuePlugin.install(app, config)     # one line

Names are imported when they are first used, so that a worker imports only what it runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp_proxy_adapter.integrations.queuemgr_integration import (
        QueueJobBase,
        QueueJobError,
        QueueJobResult,
        QueueJobStatus,
    )

    from mcp_queue_plugin.adapter.global_manager import (
        get_global_queue_manager,
        init_global_queue_manager,
        shutdown_global_queue_manager,
    )
    from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
    from mcp_queue_plugin.adapter.job_types import register_job_type
    from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
    from mcp_queue_plugin.adapter.tasks import Task, task
    from mcp_queue_plugin.context import current_job
    from mcp_queue_plugin.errors import JobTimeout, QuestionDeclined
    from mcp_queue_plugin.model.options import QueueOptions
    from mcp_queue_plugin.plugin import QueuePlugin
    from mcp_queue_plugin.version import __version__

_ADAPTER = "mcp_proxy_adapter.integrations.queuemgr_integration"
_HOMES = {
    "CommandExecutionJob": "mcp_queue_plugin.adapter.jobs",
    "JobTimeout": "mcp_queue_plugin.errors",
    "QuestionDeclined": "mcp_queue_plugin.errors",
    "QueueJobBase": _ADAPTER,
    "QueueJobError": _ADAPTER,
    "QueueJobResult": _ADAPTER,
    "QueueJobStatus": _ADAPTER,
    "QueueManagerIntegration": "mcp_queue_plugin.adapter.integration",
    "QueueOptions": "mcp_queue_plugin.model.options",
    "QueuePlugin": "mcp_queue_plugin.plugin",
    "Task": "mcp_queue_plugin.adapter.tasks",
    "__version__": "mcp_queue_plugin.version",
    "current_job": "mcp_queue_plugin.context",
    "get_global_queue_manager": "mcp_queue_plugin.adapter.global_manager",
    "init_global_queue_manager": "mcp_queue_plugin.adapter.global_manager",
    "register_job_type": "mcp_queue_plugin.adapter.job_types",
    "shutdown_global_queue_manager": "mcp_queue_plugin.adapter.global_manager",
    "task": "mcp_queue_plugin.adapter.tasks",
}

__all__ = [
    "CommandExecutionJob",
    "JobTimeout",
    "QuestionDeclined",
    "QueueJobBase",
    "QueueJobError",
    "QueueJobResult",
    "QueueJobStatus",
    "QueueManagerIntegration",
    "QueueOptions",
    "QueuePlugin",
    "Task",
    "__version__",
    "current_job",
    "get_global_queue_manager",
    "init_global_queue_manager",
    "register_job_type",
    "shutdown_global_queue_manager",
    "task",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
