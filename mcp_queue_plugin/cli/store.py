"""``mcp-queue store``: the file that keeps the jobs, while no server runs."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mcp_queue_plugin.cli.configuration import config_option
from mcp_queue_plugin.cli.output import EXIT_UNUSABLE, json_option, print_document, reported_errors
from mcp_queue_plugin.cli.stored import open_reader, store_path
from mcp_queue_plugin.store.sqlite.aside import set_aside as set_store_aside


@click.group()
def store() -> None:
    """Check the file that keeps the jobs, or set it aside."""


@store.command()
@config_option
@json_option
def check(config_path: Path, as_json: bool) -> None:
    """Read the whole file and name what is damaged; nothing is written."""
    with reported_errors(as_json=as_json), open_reader(config_path) as reader:
        path, problems = reader.path, reader.problems()
    if as_json:
        print_document({"path": str(path), "sound": not problems, "problems": problems})
    else:
        click.echo("\n".join(problems) or f"{path}: sound")
    if problems:
        raise click.exceptions.Exit(EXIT_UNUSABLE)


@store.command("set-aside")
@config_option
@json_option
def set_aside(config_path: Path, as_json: bool) -> None:
    """Move the file out of the way, as it is, so that the next start makes a new one."""
    with reported_errors(as_json=as_json):
        path = store_path(config_path)
        moved = set_store_aside(path, now=time.time())
    if as_json:
        print_document({"path": str(path), "folder": str(moved[0].parent), "files": [file.name for file in moved]})
    else:
        click.echo(f"{path} lies in {moved[0].parent} now; the next start makes a new store")
