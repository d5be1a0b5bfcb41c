"""What a request may look like: checked before the adapter's routes read it."""

from __future__ import annotations

from typing import Any

from mcp_queue_plugin.errors import InvalidRequest
from mcp_queue_plugin.model.strict_json import parse


def check_call(body: bytes, max_depth: int) -> dict[str, Any]:
    """Read one JSON-RPC request, or the adapter's short form of it.

    Raises:
        InvalidRequest: it is none; the error knows whether it is not even JSON.
    """
    return _checked(parse(body, max_depth), "the request")


def check_batch(body: bytes, max_depth: int) -> None:
    """Check a batch of them.

    Raises:
        InvalidRequest: it is none.
    """
    calls = parse(body, max_depth)
    if not isinstance(calls, list):
        raise InvalidRequest("a batch is a list of requests")
    for number, call in enumerate(calls):
        _checked(call, f"request {number} of the batch")


def check_message(body: bytes, max_depth: int) -> None:
    """Check one message of MCP, whose inside is the protocol's own matter.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(parse(body, max_depth), dict):
        raise InvalidRequest("the body must be one JSON-RPC message, an object")


def check_object(body: bytes, max_depth: int) -> None:
    """Check a request that is an object of whatever kind; an empty body is the route's own matter.

    Raises:
        InvalidRequest: it is none.
    """
    if body and not isinstance(parse(body, max_depth), dict):
        raise InvalidRequest("the request must be an object")


def _checked(call: Any, what: str) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise InvalidRequest(f"{what} must be an object")
    method = call.get("method" if "jsonrpc" in call else "command")
    if not isinstance(method, str | None):
        raise InvalidRequest(f"the method of {what} must be a text", field="method")
    params = call.get("params")
    if not isinstance(params, dict | None) and params != []:
        raise InvalidRequest(f"the params of {what} must be an object", field="params")
    number = call.get("id")
    if not isinstance(number, str | int | None) or isinstance(number, bool):
        raise InvalidRequest(f"the id of {what} must be a text or an integer", field="id")
    return call
