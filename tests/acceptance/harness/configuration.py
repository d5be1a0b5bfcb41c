"""The configuration of a server under test: what a user would write into config.json."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
APP = "tests.acceptance.app"
MODULES = (f"{APP}.commands", f"{APP}.asking", f"{APP}.failing", f"{APP}.jobs", f"{APP}.tasks")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def write_configuration(
    folder: Path,
    *,
    queue_manager: dict[str, Any] | None = None,
    queue_plugin: dict[str, Any] | None = None,
    modules: tuple[str, ...] = MODULES,
    **sections: Any,
) -> Path:
    """Write ``config.json`` for a durable server with two workers; the arguments change and extend its sections."""
    (folder / "log").mkdir(parents=True, exist_ok=True)
    config = {
        "uuid": "5d1c2bb0-8e19-4f3b-9a55-2f3f1f6d6d52",
        "server": {"host": HOST, "port": free_port(), "protocol": "http", "debug": False, "log_level": "INFO"},
        "logging": {
            "level": "INFO",
            "log_dir": str(folder / "log"),
            "log_file": "server.log",
            "error_log_file": "error.log",
            "access_log_file": "access.log",
            "max_file_size": "10MB",
            "backup_count": 1,
            "console_output": False,
            "file_output": True,
        },
        "queue_manager": {
            "in_memory": False,
            "registry_path": "queue.db",
            "max_concurrent_jobs": 2,
            "shutdown_timeout": 10.0,
            **(queue_manager or {}),
        },
        "queue_plugin": {"auto_import_modules": list(modules), "workers": {"min": 1}, **(queue_plugin or {})},
        **sections,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path
