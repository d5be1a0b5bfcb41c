"""What the engine and its workers are built from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.leftovers import new_temporary_path
from mcp_queue_plugin.engine.values import EngineOptions
from mcp_queue_plugin.model.admission import LimitRules
from mcp_queue_plugin.model.options import DEFAULT_QUEUE
from mcp_queue_plugin.model.queues import QueueRule
from mcp_queue_plugin.model.scaling import MEGABYTE, WorkerRules
from mcp_queue_plugin.settings import PluginSettings, Settings, WorkerSettings
from mcp_queue_plugin.settings.environment import PREFIX
from mcp_queue_plugin.workers.protocol import Setup

RUNNER = "mcp_queue_plugin.adapter.runner:AdapterRunner"


def worker_setup(plugin: PluginSettings) -> Setup:
    """What makes a worker like this server is now; its import path is extended by the adapter's own start-up."""
    modules = dict.fromkeys((*plugin.auto_import_modules, *server.auto_import_modules()))
    return Setup(
        runner=RUNNER,
        sys_path=tuple(os.path.abspath(entry) for entry in sys.path),  # noqa: PTH100 - "" means the working directory
        auto_import_modules=tuple(modules),
        hook_modules=server.hook_modules(),
        config_path=server.config_path(),
        log_level=server.log_level(),
        lasting_threads=plugin.workers.lasting_threads,
        result_bytes=plugin.limits.result_bytes,
    )


def engine_options(settings: Settings) -> EngineOptions:
    """The engine's options. A store in memory is a private temporary file that goes with the engine.

    Those of killed servers, which could not go with theirs, are removed here.
    """
    manager, plugin = settings.queue_manager, settings.queue_plugin
    if manager.in_memory or manager.registry_path is None:
        path, temporary = new_temporary_path(), True
    else:
        path, temporary = Path(manager.registry_path).absolute(), False
    return EngineOptions(
        path=str(path),
        durability="normal" if temporary else plugin.durability,
        temporary=temporary,
        log_bytes=plugin.limits.log_bytes,
        max_concurrent_jobs=manager.max_concurrent_jobs,
        workers=_worker_rules(plugin.workers, manager.max_concurrent_jobs),
        queues=queue_rules(settings),
        limits=LimitRules(
            max_jobs=manager.max_queue_size,
            max_jobs_by_name=manager.per_job_type_limits or {},
            overflow=plugin.limits.overflow,
        ),
        retention_seconds=manager.completed_job_retention_seconds,
        tombstone_seconds=plugin.retention.tombstone_seconds,
        withheld_variables=(f"{PREFIX}*", *plugin.security.env_deny),
    )


def _worker_rules(workers: WorkerSettings, max_concurrent_jobs: int) -> WorkerRules:
    rss_mb = workers.recycle_rss_mb
    return WorkerRules(
        min_workers=min(workers.min, max_concurrent_jobs),
        start_timeout_seconds=workers.start_timeout_seconds,
        idle_timeout_seconds=workers.idle_timeout_seconds,
        recycle_after_jobs=workers.recycle_after_jobs,
        recycle_rss_bytes=None if rss_mb is None else rss_mb * MEGABYTE,
        min_free_memory_bytes=workers.min_free_memory_mb * MEGABYTE,
        max_load_per_core=workers.max_load_per_core,
    )


def queue_rules(settings: Settings) -> dict[str, QueueRule]:
    """The rules of every queue that a job may name."""
    plugin = settings.queue_plugin
    return {DEFAULT_QUEUE: QueueRule(overflow=plugin.limits.overflow)} | {
        name: QueueRule(**{**queue.model_dump(), "overflow": queue.overflow or plugin.limits.overflow})
        for name, queue in plugin.queues.items()
    }
