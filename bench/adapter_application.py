"""The adapter's server with the commands of the benchmark and its own queue: ``python -m`` it with a config.json."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from mcp_proxy_adapter.api.app import create_app
from mcp_proxy_adapter.commands.hooks import hooks
from mcp_proxy_adapter.config import get_config
from mcp_proxy_adapter.core.server_engine import ServerEngineFactory

from bench import commands


def main(path: str) -> None:
    """Serve until a signal."""
    config = json.loads(Path(path).read_text())
    adapter_config = get_config()
    adapter_config.config_path = path
    adapter_config.config_data = config
    logging.basicConfig(level=config["server"]["log_level"])
    hooks.register_auto_import_module(commands.MODULE)
    application = create_app(app_config=config, config_path=path)
    engine = ServerEngineFactory.get_engine("hypercorn")
    assert engine is not None
    server = config["server"]
    engine.run_server(application, {key: server[key] for key in ("host", "port", "log_level")})


if __name__ == "__main__":
    main(sys.argv[1])
