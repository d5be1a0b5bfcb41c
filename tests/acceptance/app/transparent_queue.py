"""Runs one of the adapter's own examples against servers that have the plugin.

    python -m tests.acceptance.app.transparent_queue e5

Each example starts the adapter's demo application; here the same application is served by ``mcp-queue``'s plugin.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

EXAMPLES = "mcp_proxy_adapter.examples"
DEMO = f"{EXAMPLES}.transparent_queue_commands"


def run_example(name: str) -> int:
    """Run the cases of an example; its exit code."""
    support = importlib.import_module(f"{EXAMPLES}.transparent_queue_support")

    def start_demo(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([command[0], "-m", __spec__.name, "serve", *command[3:]], **options)

    names = {name: getattr(subprocess, name) for name in ("STDOUT", "TimeoutExpired")}
    support.subprocess = SimpleNamespace(Popen=start_demo, **names)  # type: ignore[attr-defined]
    (example,) = (module for module in Path(str(support.__file__)).parent.glob(f"transparent_queue_{name}_*.py"))
    return int(importlib.import_module(f"{EXAMPLES}.{example.stem}").main())


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
        sys.exit(run_example(sys.argv[1]))
