"""``mcp-queue config``: what a configuration says, before a server is started with it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mcp_queue_plugin.cli.configuration import config_option, read_config
from mcp_queue_plugin.cli.output import EXIT_UNUSABLE, json_option, print_document, reported_errors
from mcp_queue_plugin.settings import check_settings, load_settings, settings_schema


@click.group()
def config() -> None:
    """Check and show the configuration of the queue."""


@config.command()
@config_option
@json_option
def check(config_path: Path, as_json: bool) -> None:
    """Name every mistake in the queue's two sections, those of the environment included."""
    with reported_errors(as_json=as_json):
        problems = check_settings(read_config(config_path), environ=os.environ, source=config_path.name)
    if as_json:
        print_document({"valid": not problems, "problems": [problem.as_json() for problem in problems]})
    else:
        click.echo("\n".join(map(str, problems)) or f"{config_path}: valid")
    if problems:
        raise click.exceptions.Exit(EXIT_UNUSABLE)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the queue's two sections."""
    print_document(settings_schema())


@config.command()
@config_option
@json_option
def show(config_path: Path, as_json: bool) -> None:
    """Print the settings in force: defaults, file and environment together."""
    with reported_errors(as_json=as_json):
        settings = load_settings(
            read_config(config_path),
            environ=os.environ,
            source=config_path.name,
            base_dir=config_path.absolute().parent,
        )
    print_document(settings.as_json())
