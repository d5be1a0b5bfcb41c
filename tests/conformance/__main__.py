"""Starts the server with the suite's fixture tools and runs the suite as its user would: all of it, or one scenario.

python -m tests.conformance [SCENARIO]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conformance.scenarios import REVISION
from tests.conformance.suite import command, fixture_server


def main() -> int:
    scenarios = sys.argv[1:]
    which = (
        ("--scenario", *scenarios, "--spec-version", REVISION, "--force") if scenarios else ("--requirements", REVISION)
    )
    with tempfile.TemporaryDirectory() as folder, fixture_server(Path(folder)).serving() as server:
        return subprocess.run(command("server", "--url", f"{server.url}/mcp", *which), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
