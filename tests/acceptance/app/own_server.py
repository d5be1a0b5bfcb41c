"""An application that serves itself, with a route of its own that hands in jobs.

python -m tests.acceptance.app.own_server --config config.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from mcp_proxy_adapter.api.app import create_app
from mcp_proxy_adapter.core.server_engine import ServerEngineFactory

from mcp_queue_plugin import CommandExecutionJob, QueueOptions, QueuePlugin, get_global_queue_manager


def add_routes(app: FastAPI) -> None:
    """The application's own surface: plain HTTP, and no word about the queue's errors."""

    @app.post("/reports/{job_id}")
    async def report(job_id: str, gate: str) -> dict[str, Any]:
        manager = await get_global_queue_manager()
        params = {"command": "hold", "params": {"gate": gate}}
        result = await manager.submit_job(CommandExecutionJob, job_id, params, QueueOptions(queue="short"))
        return {"job_id": result.job_id, "status": result.status}

    @app.get("/reports/{job_id}")
    async def result(job_id: str) -> dict[str, Any]:
        manager = await get_global_queue_manager()
        return {"status": (await manager.get_job_status(job_id)).status}


def serve(config_path: Path) -> None:
    """Serve the application of a configuration file as its own script does."""
    config = json.loads(config_path.read_text())
    app = create_app(app_config=config)
    add_routes(app)
    QueuePlugin.install(app, config, base_dir=config_path.parent)
    engine = ServerEngineFactory.get_engine("hypercorn")
    assert engine is not None
    engine.run_server(app, {**config["server"], "log_level": "WARNING"})


if __name__ == "__main__":
    serve(Path(sys.argv[2]))
