"""Servers in processes of their own: the adapter's with our plugin, and without."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.programs import output_tail, program
from bench.rpc import HOST, Client

MCP_QUEUE = str(Path(sysconfig.get_path("scripts"), "mcp-queue"))
START_SECONDS = 60.0
COMMANDS_MODULE = "bench.commands"


class Server(NamedTuple):
    """A server that answers."""

    port: int
    pid: int
    start_seconds: float


@asynccontextmanager
async def our_server(folder: Path, workers: int, **sections: Any) -> AsyncIterator[Server]:
    """``mcp-queue serve`` on a durable store; ``sections`` extend ``queue_plugin``."""
    plugin = {"durability": "full", "auto_import_modules": [COMMANDS_MODULE], "workers": {"min": workers}, **sections}
    config = _configuration(folder, workers, queue_plugin=plugin)
    async with _served((MCP_QUEUE, "serve", "--config", str(config)), folder) as server:
        yield server


@asynccontextmanager
async def adapter_server(folder: Path, workers: int) -> AsyncIterator[Server]:
    """The same application on the adapter alone."""
    config = _configuration(folder, workers)
    async with _served(("-m", "bench.adapter_application", str(config)), folder) as server:
        yield server


@asynccontextmanager
async def _served(arguments: Sequence[str], folder: Path) -> AsyncIterator[Server]:
    port = json.loads((folder / "config.json").read_text())["server"]["port"]
    begin = time.perf_counter()
    with program(arguments, folder) as process:
        await _until_it_answers(port, process, folder)
        yield Server(port, process.pid, time.perf_counter() - begin)


async def _until_it_answers(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            async with Client(port, 1) as client:
                await client.call("bench_synchronous_noop", {})
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server does not answer:\n{output_tail(folder)}") from None
            await asyncio.sleep(0.02)


def _configuration(folder: Path, workers: int, **sections: Any) -> Path:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    config = {
        "uuid": "5d1c2bb0-8e19-4f3b-9a55-2f3f1f6d6d52",
        "server": {"host": HOST, "port": port, "protocol": "http", "debug": False, "log_level": "WARNING"},
        "logging": {
            "level": "WARNING",
            "log_dir": str(folder / "log"),
            "log_file": "server.log",
            "error_log_file": "error.log",
            "access_log_file": "access.log",
            "max_file_size": "10MB",
            "backup_count": 1,
            "console_output": False,
            "file_output": False,
        },
        "queue_manager": {
            "in_memory": False,
            "registry_path": str(folder / "queue.db"),
            "max_concurrent_jobs": workers,
        },
        **sections,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path
