"""A server that is fuzzed, and what must hold of it afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path

from tests.acceptance.harness.client import Client
from tests.acceptance.harness.configuration import write_configuration
from tests.acceptance.harness.server import MCP_QUEUE, Server

OURS = "mcp_queue_plugin/"
TOKEN, OPERATOR = "token-of-a-client-31f0", "token-of-the-operator-5aa2"
AUTH = {
    "use_token": True,
    "use_roles": True,
    "tokens": {TOKEN: ["embedder"], OPERATOR: ["*"]},
    "roles": {"embedder": ["read"], "*": ["*"]},
}


@contextmanager
def sound_server(folder: Path) -> Iterator[Client]:
    """A client of a server that still runs in the end, has logged no failure of ours, and leaves a sound store."""
    config = write_configuration(
        folder, queue_manager={"max_queue_size": 200}, auth=AUTH, command_permissions={"stamp": ["write"]}
    )
    with Server(config).serving() as server:
        with closing(Client(server.url, TOKEN)) as client:
            yield client
        assert server.process.poll() is None
        with closing(Client(server.url, OPERATOR)) as operator:
            assert operator.call("queue_health")["data"]["status"] == "healthy"
        assert server.terminate() == 0
        assert failures_in(server.log_text()) == []
        for log in (folder / "log").iterdir():
            assert failures_in(log.read_text(errors="replace")) == []
    command = (MCP_QUEUE, "store", "check", "--config", str(config), "--json")
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["problems"] == []


def failures_in(log: str) -> list[str]:
    """Where the tracebacks in a log end that end in our code, or in what it has called of Python's own library."""
    found = []
    for text in log.split("Traceback (most recent call last):")[1:]:
        frames = [line for line in text.splitlines() if line.startswith("  File ")]
        libraries = takewhile(lambda frame: "/lib/python" in frame and "site-packages" not in frame, reversed(frames))
        ended_in = frames[: len(frames) - len(list(libraries))]
        if ended_in and OURS in ended_in[-1]:
            found.append(ended_in[-1])
    return found
