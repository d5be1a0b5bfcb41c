"""The store that a configuration names, for commands that work on its file and not through a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcp_queue_plugin.cli.configuration import read_config
from mcp_queue_plugin.errors import ConfigurationError
from mcp_queue_plugin.settings import load_settings
from mcp_queue_plugin.store.sqlite.reader import SqliteReader


def store_path(config_path: Path) -> Path:
    """Where the jobs of the server with this configuration are kept.

    Raises:
        ConfigurationError: it is not valid, or keeps them in memory.

    """
    settings = load_settings(
        read_config(config_path), environ=os.environ, source=config_path.name, base_dir=config_path.absolute().parent
    )
    manager = settings.queue_manager
    if manager.in_memory or manager.registry_path is None:
        raise ConfigurationError(
            f"{config_path} keeps its jobs in memory (queue_manager.in_memory is true): only its server can show them, "
            "by queue_list_jobs and queue_get_job_status"
        )
    return Path(manager.registry_path)


@contextmanager
def open_reader(config_path: Path) -> Iterator[SqliteReader]:
    """The store of a configuration, opened to be looked at.

    Raises:
        ConfigurationError: it names none.
        StoreError: it cannot be read.

    """
    reader = SqliteReader(store_path(config_path))
    reader.open()
    try:
        yield reader
    finally:
        reader.close()
