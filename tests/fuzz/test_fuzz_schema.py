"""Schemathesis over the server's own OpenAPI schema: no request that it allows, or forbids, makes a route fail."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.fuzz.cases import CASES
from tests.fuzz.servers import sound_server

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
        for route in LEFT_TO_THE_ADAPTER:
            command += ["--exclude-path", route]
        done = subprocess.run(
            [*command, "--report-json-path", "report.json"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert set(LEFT_TO_THE_ADAPTER) <= set(routes)
    assert json.loads((tmp_path / "report.json").read_text())
    if "0 generated" in done.stdout:
        pytest.fail(done.stdout)
