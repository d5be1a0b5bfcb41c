"""What the engine and its workers are built from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.leftovers import new_temporary_path
from mcp_queue_plugin.engine.values import EngineOptions
from mcp_queue_plugin.settings import Settings
from mcp_queue_plugin.workers.protocol import Setup

RUNNER = "mcp_queue_plugin.adapter.runner:AdapterRunner"


def worker_setup(auto_import_modules: Iterable[str]) -> Setup:
    """What makes a worker like this server is now; its import path is extended by the adapter's own start-up."""
    modules = dict.fromkeys((*auto_import_modules, *server.auto_import_modules()))
    return Setup(
        runner=RUNNER,
        sys_path=tuple(os.path.abspath(entry) for entry in sys.path),  # noqa: PTH100 - "" means the working directory
        auto_import_modules=tuple(modules),
        hook_modules=server.hook_modules(),
        config_path=server.config_path(),
        log_level=server.log_level(),
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
        min_workers=min(plugin.workers.min, manager.max_concurrent_jobs),
        start_timeout_seconds=plugin.workers.start_timeout_seconds,
    )
