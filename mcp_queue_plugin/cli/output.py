"""How commands answer: one JSON document or prose on stdout, everything else on stderr, stable exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mcp_queue_plugin.errors import ConfigurationError, QueueError, StoreError

EXIT_FAILURE = 1
EXIT_UNUSABLE = 2
"""The configuration, the port or the store cannot be used; starting again without a change would not help."""


def exit_code_of(error: QueueError) -> int:
    """The exit code that tells this error."""
    return EXIT_UNUSABLE if isinstance(error, ConfigurationError | StoreError) else EXIT_FAILURE


def print_document(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    click.echo(json.dumps(document, indent=2, sort_keys=True))


@contextmanager
def reported_errors(*, as_json: bool) -> Iterator[None]:
    """Turn the queue's errors into a message (or, as JSON, a document) and the exit code that tells them."""
    try:
        yield
    except QueueError as error:
        if as_json:
            print_document({"error": {"type": type(error).__name__, "message": error.message, **error.details()}})
        else:
            click.echo(f"mcp-queue: {error.message}", err=True)
        raise click.exceptions.Exit(exit_code_of(error)) from error


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, errors included.")
