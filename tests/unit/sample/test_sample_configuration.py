"""The repository's ``config.json`` is one that the adapter takes, and names modules that can be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

BUILD = """
import importlib, json, pathlib, sys
from mcp_proxy_adapter.api.app import create_app
from mcp_proxy_adapter.commands.command_registry import registry

sys.path.insert(0, sys.argv[1])
config = json.loads(pathlib.Path(sys.argv[1], "config.json").read_text())
create_app(app_config=config)
for module in config["queue_plugin"]["auto_import_modules"]:
    importlib.import_module(module)
print(registry.command_exists("analyze_project"))
"""


def test_the_adapter_takes_the_configuration(tmp_path: Path) -> None:
    build = subprocess.run([sys.executable, "-c", BUILD, ROOT], cwd=tmp_path, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    assert build.stdout.splitlines()[-1] == "True"
