"""Schemathesis over the server's own OpenAPI schema: no request that it allows, or forbids, makes a route fail."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

from tests.fuzz.cases import CASES
from tests.fuzz.servers import TOKEN, sound_server

SCHEMATHESIS = str(Path(sysconfig.get_path("scripts"), "schemathesis"))

LEFT_TO_THE_ADAPTER: dict[str, str] = {}
"""The routes that are not looked at, and why."""


def test_no_route_fails(tmp_path: Path) -> None:
    with sound_server(tmp_path) as server:
        routes = server.get("/openapi.json")["paths"]
        operations = sum(len(methods) for methods in routes.values())
        command = [SCHEMATHESIS, "run", f"{server.url}/openapi.json", "--checks", "not_a_server_error"]
        command += ["--phases", "fuzzing", "--max-examples", str(max(1, CASES // operations))]
        command += ["--continue-on-failure", "--generation-database", "none", "--no-color"]
        command += ["--header", f"X-API-Key: {TOKEN}"]
        for route in LEFT_TO_THE_ADAPTER:
            command += ["--exclude-path", route]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert set(LEFT_TO_THE_ADAPTER) <= set(routes)
    (generated,) = re.findall(r"(\d+) generated", done.stdout)
    assert int(generated) >= CASES / 2
