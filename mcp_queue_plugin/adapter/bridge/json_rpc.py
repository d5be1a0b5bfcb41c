"""The adapter's route of JSON-RPC: where it is, and what it makes of a request and of an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from fastapi.routing import APIRoute
from mcp_proxy_adapter.core.errors import InternalError, MicroserviceError
from mcp_proxy_adapter.core.logging import get_global_logger
from starlette.routing import BaseRoute
from starlette.types import Scope

from mcp_queue_plugin.adapter.bridge.server import adapter_error
from mcp_queue_plugin.errors import QueueError

JSON_RPC_PATH = "/api/jsonrpc"

METHODS_BESIDE_COMMANDS = frozenset(
    {
        "artifact_ready",
        "execute_async",
        "get_job_status",
        "job_input_accepted",
        "job_processing_step",
        "job_status_get",
        "job_status_register",
        "job_status_unregister",
        "job_status_wait",
        "transfer_ack",
        "wait_for_job_status",
    }
)
"""What the adapter answers by itself, whatever command has that name."""

Log = Callable[..., None]
"""Logs a message with its values."""

logger = logging.getLogger(__name__)


def json_rpc_route(routes: Sequence[BaseRoute]) -> APIRoute:
    """The adapter's route of single calls.

    Raises:
        LookupError: an adapter that has moved it must fail loudly.
    """
    for route in routes:
        if isinstance(route, APIRoute) and route.path == JSON_RPC_PATH:
            return route
    raise LookupError(f"this version of the adapter has no route {JSON_RPC_PATH}")


def context_of(scope: Scope) -> dict[str, Any]:
    """What the context of a command says of a request: the user that a middleware has named, if one has."""
    state = scope.get("state", {})
    user, role, roles = (state.get(f"user_{name}") for name in ("id", "role", "roles"))
    return {"user": {"id": user, "role": role, "roles": roles or []}} if user or role or roles else {}


def request_log(scope: Scope) -> Log:
    """What logs a line about a request, marked with its id, as the adapter does."""
    log = get_global_logger()
    if not log.isEnabledFor(logging.INFO):
        return _log_nothing
    request_id = scope.get("state", {}).get("request_id")
    mark = "" if request_id is None else f"[{request_id}] ".replace("%", "%%")
    return lambda message, *values: log.info(mark + message, *values)


def told(error: Exception) -> dict[str, Any]:
    """The ``error`` member of an answer, for whatever a command raises; what nobody expects is logged."""
    if isinstance(error, QueueError):
        error = adapter_error(error)
    elif not isinstance(error, MicroserviceError):
        logger.error("A JSON-RPC call failed", exc_info=error)
        error = InternalError("Internal error", data={"error": str(error)})
    said: dict[str, Any] = error.to_dict()
    # The adapter's model of an error has it, whether there is any or not.
    said.setdefault("data", None)
    return said


def _log_nothing(_: str, *__: object) -> None:
    """Log a line where none is asked for."""
