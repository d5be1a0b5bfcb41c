"""``mcp-queue`` as an operator calls it beside a server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.harness.server import MCP_QUEUE, ROOT, START_SECONDS


def mcp_queue(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MCP_QUEUE, *arguments, "--config", str(config)],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def answer(config: Path, *arguments: str) -> dict[str, Any]:
    """The JSON document of a command that must succeed."""
    done = mcp_queue(config, *arguments, "--json")
    assert done.returncode == 0, (done.stdout, done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
