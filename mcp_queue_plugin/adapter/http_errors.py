"""The queue's errors as HTTP answers, for an application's own routes that hand in jobs and let an error pass."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobError

from mcp_queue_plugin.errors import QueueError


def install(app: FastAPI) -> None:
    """Answer the queue's errors that a route of ``app`` raises: a full queue with 429 and ``Retry-After``."""
    app.add_exception_handler(QueueError, answer)
    app.add_exception_handler(QueueJobError, answer)


def answer(_: Request, raised: Exception) -> JSONResponse:
    """The answer to a request whose route raised one of the queue's errors, or the adapter's form of one.

    The body is ``{"error": {code, message, data}}``, as in JSON-RPC.
    """
    error = raised.original_error if isinstance(raised, QueueJobError) else raised
    if not isinstance(error, QueueError):
        raise raised
    seconds = error.data.get("retry_after_seconds")
    return JSONResponse(
        {"error": {"code": error.code, "message": error.message, "data": error.details()}},
        status_code=error.http_status,
        headers=None if seconds is None else {"Retry-After": str(seconds)},
    )
