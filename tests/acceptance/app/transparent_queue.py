"""Runs one of the adapter's own examples against servers that have the plugin.

    python -m tests.acceptance.app.transparent_queue e5
    python -m tests.acceptance.app.transparent_queue e7 WT-13

Each example starts the adapter's demo application; here the same application is served by ``mcp-queue``'s plugin. A
second argument names the one case to run. ``e7`` waits for two minutes if it is left to itself; here its cases, which
have servers of their own, run side by side.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

EXAMPLES = "mcp_proxy_adapter.examples"
DEMO = f"{EXAMPLES}.transparent_queue_commands"


SIDE_BY_SIDE = ("e7",)
AT_ONCE = 3
"""So many of its cases: they measure time, and the start of a server takes a core for seconds."""

SECONDS_MORE = 5.0
"""So much longer it waits for a job's end: the first one of a server also waits for a worker, while others start."""

Cases = dict[str, Any]


def run_example(name: str, case: str | None = None) -> int:
    """Run the cases of an example, or one of them; its exit code."""
    support: Any = importlib.import_module(f"{EXAMPLES}.transparent_queue_support")

    def start_demo(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([command[0], "-m", __spec__.name, "serve", *command[3:]], **options)

    def run(cases: Cases) -> int:
        if case is None and name in SIDE_BY_SIDE:
            return int(support.report(run_side_by_side(name, cases)))
        return int(run_in_turn(cases if case is None else {case: cases[case]}))

    names = {name: getattr(subprocess, name) for name in ("STDOUT", "TimeoutExpired")}
    support.subprocess = SimpleNamespace(Popen=start_demo, **names)
    run_in_turn = support.run_example
    (example,) = (module for module in Path(str(support.__file__)).parent.glob(f"transparent_queue_{name}_*.py"))
    module: Any = importlib.import_module(f"{EXAMPLES}.{example.stem}")
    module.run_example = run
    if name == "e7":
        module._SETTLE += SECONDS_MORE
    return int(module.main())


def run_side_by_side(name: str, cases: Cases) -> Cases:
    """The verdict on each case, some of them run at once."""

    def verdict(case: str) -> Cases:
        command = [sys.executable, "-m", __spec__.name, name, case]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
        cases: Cases = json.loads(output.splitlines()[-1])["cases"]
        return cases

    with ThreadPoolExecutor(AT_ONCE) as executor:
        return {case: found for verdicts in executor.map(verdict, cases) for case, found in verdicts.items()}


def serve(port: int, config_path: str) -> None:
    """Serve the demo application as its own ``serve`` does, with the plugin installed."""
    from mcp_proxy_adapter.api.app import create_app
    from mcp_proxy_adapter.api.handlers import command_execution
    from mcp_proxy_adapter.commands.hooks import register_auto_import_module
    from mcp_proxy_adapter.core.server_engine import ServerEngineFactory

    from mcp_queue_plugin import QueuePlugin

    if cap := os.environ.get("TQ_SYNC_CAP_SECONDS"):
        # The knob of the demo itself.
        vars(command_execution)["SYNC_COMMAND_TIMEOUT"] = float(cap)
    importlib.import_module(DEMO).register_demo_commands()
    register_auto_import_module(DEMO)
    config = json.loads(Path(config_path).read_text())
    app = create_app(app_config=config)
    QueuePlugin.install(app, config)
    engine = ServerEngineFactory.get_engine("hypercorn")
    assert engine is not None
    engine.run_server(app, {"host": "127.0.0.1", "port": port, "log_level": "WARNING"})


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[3]), sys.argv[5])
    else:
        sys.exit(run_example(*sys.argv[1:]))
