"""The one global manager, the same through the adapter's import paths and through ours."""

from __future__ import annotations

from typing import cast

from mcp_proxy_adapter.integrations import queuemgr_integration

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration


async def init_global_queue_manager(
    registry_path: str | None = None,
    shutdown_timeout: float = 30.0,
    max_concurrent_jobs: int = 10,
    in_memory: bool = True,
    max_queue_size: int | None = None,
    per_job_type_limits: dict[str, int] | None = None,
    completed_job_retention_seconds: int = 21600,
    command_timeout: float | None = None,
    stop_job_wait_timeout: float | None = None,
    max_retained_terminal_jobs: int | None = None,
) -> QueueManagerIntegration:
    """Start the global manager, or answer the one that runs; usable with or without an application.

    Raises:
        ConfigurationError: a value is not valid.
        StoreError: the store cannot be used.
        EngineStartFailed: the engine's process did not come up in time.
    """
    server.use_manager_class(QueueManagerIntegration)
    manager = await queuemgr_integration.init_global_queue_manager(
        registry_path=registry_path,
        shutdown_timeout=shutdown_timeout,
        max_concurrent_jobs=max_concurrent_jobs,
        in_memory=in_memory,
        max_queue_size=max_queue_size,
        per_job_type_limits=per_job_type_limits,
        completed_job_retention_seconds=completed_job_retention_seconds,
        command_timeout=command_timeout,
        stop_job_wait_timeout=stop_job_wait_timeout,
        max_retained_terminal_jobs=max_retained_terminal_jobs,
    )
    return cast("QueueManagerIntegration", manager)


async def get_global_queue_manager() -> QueueManagerIntegration:
    """The global manager.

    Raises:
        QueueJobError: there is none, or it has stopped.
    """
    return cast("QueueManagerIntegration", await queuemgr_integration.get_global_queue_manager())


async def shutdown_global_queue_manager() -> None:
    """Stop the global manager, if there is one."""
    await queuemgr_integration.shutdown_global_queue_manager()
