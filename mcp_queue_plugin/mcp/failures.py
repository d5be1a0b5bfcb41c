"""What a client is told when a request as such cannot be answered: our errors as those of the protocol."""

from __future__ import annotations

from typing import Any, NoReturn

from mcp import MCPError
from mcp_types import INVALID_PARAMS

from mcp_queue_plugin.errors import JobNotFound, QueueError


def as_mcp_error(error: QueueError) -> MCPError:
    """``error`` as the JSON-RPC error of a request. An id that is not known is a parameter that is not valid."""
    if isinstance(error, JobNotFound):
        return MCPError(code=INVALID_PARAMS, message=f"{error.message}: {error.job_id}", data=error.details())
    return MCPError(code=error.code, message=error.message, data=error.details() or None)


def refuse(message: str, code: int = INVALID_PARAMS, data: Any = None) -> NoReturn:
    """Refuse the request.

    Raises:
        MCPError: always.
    """
    raise MCPError(code=code, message=message, data=data)
