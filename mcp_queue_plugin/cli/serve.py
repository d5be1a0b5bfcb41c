"""``mcp-queue serve``: run an adapter application with the queue installed."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import click
from fastapi import FastAPI

from mcp_queue_plugin.cli.configuration import config_option, read_config
from mcp_queue_plugin.cli.output import EXIT_FAILURE, EXIT_UNUSABLE, exit_code_of, reported_errors
from mcp_queue_plugin.errors import ConfigurationError

logger = logging.getLogger(__name__)

SHUTDOWN_EXTRA_SECONDS = 30.0


@click.command()
@config_option
@click.option("--host", help="Listen on this address instead of server.host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port instead of server.port.")
@click.option("--stdio", is_flag=True, help="Serve one MCP client over standard input and output, and listen nowhere.")
def serve(config_path: Path, host: str | None, port: int | None, stdio: bool) -> None:
    """Serve the application that the configuration describes.

    Exits 0 after a signal, or with --stdio when the client has gone; 1 on a failure; 2 when the configuration, the port
    or the store cannot be used.
    """
    if stdio:
        if host is not None or port is not None:
            raise click.UsageError("--stdio listens nowhere: leave --host and --port out")
        _serve_stdio(config_path)
        return
    with reported_errors(as_json=False):
        app, server, shutdown_timeout_seconds = _application(config_path, host, port)
    _check_port(server["host"], server["port"])
    _run(app, server, shutdown_timeout_seconds)


def _application(
    config_path: Path, host: str | None = None, port: int | None = None
) -> tuple[FastAPI, dict[str, Any], float]:
    """The application, the section of its configuration on the server, and how long jobs get when it ends."""
    config = read_config(config_path)
    config["server"] = server = _server_section(config, host, port)
    # Like a script's own folder: the application's modules lie beside its configuration.
    sys.path.insert(0, str(config_path.absolute().parent))
    app, shutdown_timeout_seconds = _build(config, config_path)
    return app, server, shutdown_timeout_seconds


def _serve_stdio(config_path: Path) -> None:
    from mcp_queue_plugin.mcp.stdio import protocol_streams, serve_stdio

    with protocol_streams() as streams, reported_errors(as_json=False):
        app, _, _ = _application(config_path)
        plugin = app.state.queue_plugin
        line_max_bytes = plugin.settings.queue_plugin.security.max_body_bytes
        asyncio.run(serve_stdio(plugin.mcp.server, streams, app.router.lifespan_context(app), line_max_bytes))


def _server_section(config: dict[str, Any], host: str | None, port: int | None) -> dict[str, Any]:
    section = config.get("server")
    if not isinstance(section, dict):
        raise ConfigurationError(f"server must be an object with host and port, not {section!r}")
    given = {"host": host, "port": port}
    server = {**section, **{key: value for key, value in given.items() if value is not None}}
    if not isinstance(server.get("host"), str):
        raise ConfigurationError(f"server.host must be an address, not {server.get('host')!r}")
    if not isinstance(server.get("port"), int):
        raise ConfigurationError(f"server.port must be a port number, not {server.get('port')!r}")
    level = server.setdefault("log_level", "INFO")
    if not isinstance(level, str) or level.upper() not in _LOG_LEVELS:
        raise ConfigurationError(f"server.log_level must be one of {', '.join(_LOG_LEVELS)}, not {level!r}")
    return server


_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _build(config: dict[str, Any], config_path: Path) -> tuple[FastAPI, float]:
    # Imported here: other subcommands need not wait for the whole adapter.
    from mcp_proxy_adapter.api.app import create_app
    from mcp_proxy_adapter.config import get_config

    from mcp_queue_plugin.adapter.bridge.server import configuration_mistakes
    from mcp_queue_plugin.plugin import QueuePlugin
    from mcp_queue_plugin.settings import load_settings

    base_dir = config_path.absolute().parent
    settings = load_settings(config, source=config_path.name, base_dir=base_dir)
    # The adapter knows nothing of our variables: it must see, and check, what they have made of its section.
    config["queue_manager"] = settings.queue_manager.as_json()
    adapter_config = get_config()
    adapter_config.config_path = str(config_path)
    adapter_config.config_data = config
    logging.basicConfig(level=config["server"]["log_level"].upper(), format=_LOG_FORMAT)
    mistakes = configuration_mistakes(config, str(config_path))
    if mistakes:
        raise ConfigurationError(f"{config_path.name}: {'; '.join(mistakes)}")
    app = create_app(app_config=config, config_path=str(config_path))
    QueuePlugin.install(app, config, source=config_path.name, base_dir=base_dir)
    return app, settings.queue_manager.shutdown_timeout


_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _check_port(host: str, port: int) -> None:
    """Refuse a port that is in use before anything is started: the server itself would notice last."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            _refuse_address(host, port, error)


def _refuse_address(host: str, port: int, error: OSError) -> None:
    reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
    click.echo(f"mcp-queue: cannot listen on {host}:{port}: {reason}; choose another with --host and --port", err=True)
    raise click.exceptions.Exit(EXIT_UNUSABLE)


def _run(app: FastAPI, server: dict[str, Any], shutdown_timeout_seconds: float) -> None:
    from hypercorn.utils import LifespanFailureError
    from mcp_proxy_adapter.core.server_engine import ServerEngineFactory

    engine = ServerEngineFactory.get_engine("hypercorn")
    assert engine is not None
    listen = {
        "host": server["host"],
        "port": server["port"],
        "log_level": server["log_level"],
        "shutdown_timeout": shutdown_timeout_seconds + SHUTDOWN_EXTRA_SECONDS,
    }
    try:
        engine.run_server(app, listen)
    except LifespanFailureError as error:
        failure = app.state.queue_plugin.failure
        click.echo(f"mcp-queue: the server did not start: {failure.message if failure else error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILURE if failure is None else exit_code_of(failure)) from error
    except OSError as error:
        _refuse_address(server["host"], server["port"], error)
