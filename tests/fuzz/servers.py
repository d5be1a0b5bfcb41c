"""A server that is fuzzed, and what must hold of it afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import MCP_QUEUE, Server

OURS = "mcp_queue_plugin/"


@contextmanager
def sound_server(folder: Path) -> Iterator[Server]:
    """A server that still runs in the end, has logged no failure of ours, and leaves a store that is sound."""
    config = write_configuration(folder, queue_manager={"max_queue_size": 200})
    with Server(config).serving() as server:
        yield server
        assert server.process.poll() is None
        assert server.call("queue_health")["data"]["status"] == "healthy"
        assert server.terminate() == 0
        assert failures_in(server.log_text()) == []
        for log in (folder / "log").iterdir():
            assert failures_in(log.read_text(errors="replace")) == []
    command = (MCP_QUEUE, "store", "check", "--config", str(config), "--json")
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["problems"] == []


def failures_in(log: str) -> list[str]:
    """The tracebacks in a log that end in our code."""
    tracebacks = log.split("Traceback (most recent call last):")[1:]
    frames = [[line for line in text.splitlines() if line.startswith("  File ")] for text in tracebacks]
    return [lines[-1] for lines in frames if lines and OURS in lines[-1]]
