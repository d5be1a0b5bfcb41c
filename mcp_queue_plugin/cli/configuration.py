"""Reading a configuration file for a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mcp_queue_plugin.errors import ConfigurationError

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.json"),
    show_default=True,
    help="The adapter's configuration file.",
)


def read_config(path: Path) -> dict[str, Any]:
    """The configuration in ``path``.

    Raises:
        ConfigurationError: the file cannot be read, or is not a JSON object.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}; name the file with --config") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} holds {type(document).__name__}, not a JSON object")
    return document
