"""The adapter's internals around who may do what: its tokens, its roles, and where it runs commands for whom."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from mcp_proxy_adapter.api import command_session_service, handlers, ws_endpoint, ws_identity
from mcp_proxy_adapter.api.core import app_factory_routes
from mcp_proxy_adapter.api.middleware import command_permission_middleware, unified_security
from mcp_proxy_adapter.core.errors import InternalError, MicroserviceError
from starlette.datastructures import Headers

from mcp_queue_plugin.adapter.bridge.server import adapter_error, replace, wrap
from mcp_queue_plugin.errors import QueueError

Config = Mapping[str, Any]

Check = Callable[[str, Any], None]
Execute = Callable[..., Awaitable[Any]]

logger = logging.getLogger(__name__)

_BEARER = "Bearer "


class Identity(NamedTuple):
    """Who a client has proven to be: the bearer of a token with these roles, or the holder of a certificate."""

    kind: str
    name: str
    roles: tuple[str, ...] = ()


def asks_for_tokens(config: Config) -> bool:
    """Whether the adapter lets only those in who have a token."""
    return _auth_is_on(config) or bool(_section(config, "security").get("enabled"))


def identity_of(config: Config, scope: Mapping[str, Any]) -> Identity | None:
    """Who the client of an ASGI scope is: by its token, where one is asked for, or else by its certificate."""
    if not asks_for_tokens(config):
        found = ws_identity.get_identity_from_scope({**scope, "headers": []})
        return Identity("certificate", str(found["cn"])) if found["type"] == "mtls" else None
    # Found and matched as the adapter does it for HTTP.
    headers = Headers(raw=scope["headers"])
    token = headers.get("X-API-Key")
    authorization = headers.get("Authorization", "")
    if not token and authorization.startswith(_BEARER):
        token = authorization[len(_BEARER) :]
    matched, roles = unified_security._match_token(
        auth_active=_auth_is_on(config),
        auth_cfg=_section(config, "auth"),
        security_cfg=_section(config, "security"),
        token=token or None,
    )
    return Identity("token", str(token), tuple(roles)) if matched else None


def may_run(config: Config, roles: tuple[str, ...], command: str) -> bool:
    """Whether callers with these roles have what ``command_permissions`` asks of them for a command."""
    auth = _section(config, "auth")
    if not (_auth_is_on(config) and auth.get("use_roles")):
        return True
    permissions = unified_security._permissions_for_roles(list(roles), auth.get("roles") or {})
    user = {"roles": list(roles), "permissions": sorted(permissions)}
    return command_permission_middleware.check_command_permission(command, user, config)


def check_every_command(check: Check) -> None:
    """Call ``check`` with each command and its parameters before the adapter runs it, however it was asked for.

    What it raises is answered as the JSON-RPC error of that one call, as the error of a session of /ws, or over HTTP.
    """

    def call(execute: Execute) -> Execute:
        async def execute_checked(command_name: str, params: Any = None, *arguments: Any, **named: Any) -> Any:
            _as_adapter_error(check, command_name, params)
            return await execute(command_name, params, *arguments, **named)

        return execute_checked

    def route(execute: Execute) -> Execute:
        async def execute_checked(command_name: str, params: Any = None, *arguments: Any, **named: Any) -> Any:
            check(command_name, params)
            return await execute(command_name, params, *arguments, **named)

        return execute_checked

    def session(start: Execute) -> Execute:
        async def start_checked(*, command: str, params: Any, **named: Any) -> Any:
            _as_adapter_error(check, command, params)
            return await start(command=command, params=params, **named)

        return start_checked

    def tool(execute: Execute) -> Execute:
        async def execute_checked(tool_name: str, request: Any, payload: dict[str, Any]) -> Any:
            check(str(payload.get("command")), payload.get("params"))
            return await execute(tool_name, request, payload)

        return execute_checked

    wrap(handlers, "execute_command", call)
    wrap(handlers, "execute_command_async", call)
    wrap(app_factory_routes, "execute_command_async", route)
    wrap(app_factory_routes, "execute_tool", tool)
    wrap(ws_endpoint, "start_command_session", session)
    for module in (handlers, app_factory_routes):
        wrap(module, "handle_json_rpc", _answering_all)
    # It would look into the adapter's defaults, and not into its configuration.
    replace(command_session_service, "check_command_permission", lambda *_, **__: True)


def _as_adapter_error(check: Check, command: str, params: Any) -> None:
    try:
        check(command, params)
    except QueueError as error:
        raise adapter_error(error) from error


def _answering_all(handle: Execute) -> Execute:
    """JSON-RPC whose every failure is the error of its own call; the adapter lets some end the whole request."""

    async def handle_json_rpc(request_data: dict[str, Any], *arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await handle(request_data, *arguments, **named)
        except MicroserviceError as error:
            return _error(error, request_data)
        except Exception as error:
            logger.exception("A JSON-RPC call failed")
            return _error(InternalError("Internal error", data={"error": str(error)}), request_data)
        return answer

    return handle_json_rpc


def _error(error: MicroserviceError, request_data: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.to_dict(), "id": request_data.get("id")}


def identify_sessions(describe: Callable[[], dict[str, Any]]) -> None:
    """Let ``describe`` say who a session of /ws belongs to, in place of the token itself."""

    def identity(_: Mapping[str, Any]) -> dict[str, Any]:
        user = describe()
        return {"type": "token", "user_id": user["id"], "role": None} if user else {"type": "anonymous"}

    def context(_: Mapping[str, Any]) -> dict[str, Any]:
        user = describe()
        return {"user": user} if user else {}

    replace(ws_endpoint, "get_identity_from_scope", identity)
    replace(ws_endpoint, "build_command_context_from_ws_scope", context)


def _auth_is_on(config: Config) -> bool:
    return bool(_section(config, "auth").get("use_token"))


def _section(config: Config, name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}
