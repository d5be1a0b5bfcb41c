"""What a client is told when a request as such cannot be answered: our errors as those of the protocol."""

from __future__ import annotations

from typing import Any, NoReturn

from mcp import MCPError
from mcp_types import INVALID_PARAMS

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.errors import AccessDenied, JobNotFound, QueueError


def as_mcp_error(error: QueueError) -> MCPError:
    """``error`` as the JSON-RPC error of a request. An id that is not known is a parameter that is not valid."""
    if isinstance(error, JobNotFound):
        return MCPError(code=INVALID_PARAMS, message=f"{error.message}: {error.job_id}", data=error.details())
    return MCPError(code=error.code, message=error.message, data=error.details() or None)


def require_command(name: str) -> None:
    """Check that the caller may run the command which does over JSON-RPC what it asks for here.

    Raises:
        MCPError: it may not.
    """
    try:
        check_command(name, None)
    except AccessDenied as error:
        raise as_mcp_error(error) from error


def refuse(message: str, code: int = INVALID_PARAMS, data: Any = None) -> NoReturn:
    """Refuse the request.

    Raises:
        MCPError: always.
    """
    raise MCPError(code=code, message=message, data=data)
