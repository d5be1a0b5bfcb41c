"""The ``mcp-queue`` command and what its subcommands share."""

from __future__ import annotations

import click

from mcp_queue_plugin.cli.bench import bench
from mcp_queue_plugin.cli.config import config
from mcp_queue_plugin.cli.jobs import jobs
from mcp_queue_plugin.cli.serve import serve
from mcp_queue_plugin.cli.store import store
from mcp_queue_plugin.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mcp-queue")
def main() -> None:
    """Durable background jobs for servers built on mcp-proxy-adapter."""


main.add_command(serve)
main.add_command(bench)
main.add_command(config)
main.add_command(jobs)
main.add_command(store)
