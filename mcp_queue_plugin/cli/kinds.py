"""The kinds of processes that a server consists of."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

PROGRAMS = {
    "mcp_queue_plugin.engine.warden": "warden",
    "mcp_queue_plugin.engine.host": "engine",
    "mcp_queue_plugin.workers.child": "worker",
}
"""Those below the server itself, by the module that they run."""


def processes_by_kind() -> Iterator[tuple[str, psutil.Process]]:
    """This process, which is the ``server``, and those below it; one that ends at this moment is left out."""
    here = psutil.Process()
    yield "server", here
    for process in here.children(recursive=True):
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        module = words[words.index("-m") + 1] if "-m" in words[:-1] else None
        if module in PROGRAMS:
            yield PROGRAMS[module], process
