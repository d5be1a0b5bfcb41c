"""What a client has said that it can do, with each request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_queue_plugin.mcp.failures import refuse
from mcp_queue_plugin.mcp.task_state import EXTENSION

RequestContext = ServerRequestContext[Any, Any]

TASKS: Mapping[str, Any] = {"extensions": {EXTENSION: {}}}
ELICITATION: Mapping[str, Any] = {"elicitation": {}}


def is_modern(ctx: RequestContext) -> bool:
    """Whether the request is of the revision that knows extensions, 2026-07-28 or later."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def has(ctx: RequestContext, required: Mapping[str, Any]) -> bool:
    """Whether the client has declared these capabilities for this request."""
    if not is_modern(ctx):
        return not required
    declared = ctx.session.client_capabilities
    return _covers(declared.model_dump(by_alias=True, exclude_none=True) if declared else {}, required)


def takes_forms(ctx: RequestContext) -> bool:
    """Whether the client can show its user a form: whoever declares elicitation and names no mode can."""
    if not has(ctx, ELICITATION):
        return False
    declared = ctx.session.client_capabilities
    elicitation = None if declared is None else declared.elicitation
    return elicitation is None or elicitation.form is not None or elicitation.url is None


def require(ctx: RequestContext, required: Mapping[str, Any]) -> None:
    """Check that it has.

    Raises:
        MCPError: it has not (-32021); what is missing is in its data.
    """
    if not has(ctx, required):
        refuse(
            f"the client has not declared what this needs: {_named(required)}",
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            {"requiredCapabilities": dict(required)},
        )


def _covers(declared: Any, required: Mapping[str, Any]) -> bool:
    return isinstance(declared, Mapping) and all(
        key in declared and (not isinstance(inner, Mapping) or _covers(declared[key], inner))
        for key, inner in required.items()
    )


def _named(required: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}.{_named(inner)}" if isinstance(inner, Mapping) and inner else key for key, inner in required.items()
    )
