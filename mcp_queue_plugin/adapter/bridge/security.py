"""The adapter's internals around who may do what: its tokens, its roles, and where it runs commands for whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from mcp_proxy_adapter.api import command_session_service, handlers, ws_endpoint, ws_identity
from mcp_proxy_adapter.api.core import app_factory_routes
from mcp_proxy_adapter.api.middleware import command_permission_middleware, unified_security
from starlette.datastructures import Headers

from mcp_queue_plugin.adapter.bridge.server import adapter_error, replace
from mcp_queue_plugin.errors import QueueError

Config = Mapping[str, Any]

_BEARER = "Bearer "
_CHECKED = "checked_for_its_caller"


class Identity(NamedTuple):
    """Who a client has proven to be: the bearer of a token with these roles, or the holder of a certificate."""

    kind: str
    name: str
    roles: tuple[str, ...] = ()


def asks_for_tokens(config: Config) -> bool:
    """Whether the adapter lets only those in who have a token."""
    return _auth_is_on(config) or bool(_section(config, "security").get("enabled"))


def identity_of(config: Config, scope: Mapping[str, Any]) -> Identity | None:
    """Who the client of an ASGI scope is: by its token, found and matched as for HTTP, or else by its certificate."""
    headers = Headers(raw=scope["headers"])
    token = headers.get("X-API-Key")
    authorization = headers.get("Authorization", "")
    if not token and authorization.startswith(_BEARER):
        token = authorization[len(_BEARER) :]
    if token and asks_for_tokens(config):
        auth = _section(config, "auth")
        security = _section(config, "security")
        matched, roles = unified_security._match_token(
            auth_active=_auth_is_on(config), auth_cfg=auth, security_cfg=security, token=token
        )
        return Identity("token", token, tuple(roles)) if matched else None
    found = ws_identity.get_identity_from_scope({**scope, "headers": []})
    return Identity("certificate", str(found["cn"])) if found["type"] == "mtls" else None


def may_run(config: Config, roles: tuple[str, ...], command: str) -> bool:
    """Whether callers with these roles have what ``command_permissions`` asks of them for a command."""
    auth = _section(config, "auth")
    if not (_auth_is_on(config) and auth.get("use_roles")):
        return True
    permissions = unified_security._permissions_for_roles(list(roles), auth.get("roles") or {})
    user = {"roles": list(roles), "permissions": sorted(permissions)}
    return command_permission_middleware.check_command_permission(command, user, config)


def check_every_command(check: Callable[[str], None]) -> None:
    """Call ``check`` with the name of each command before the adapter runs it, on whatever way it was asked for.

    What it raises becomes the JSON-RPC error of a call, and of one that is not waited for an answer over HTTP.
    """
    if hasattr(handlers.execute_command, _CHECKED):
        return

    async def execute_command(command_name: str, *arguments: Any, **named: Any) -> Any:
        try:
            check(command_name)
        except QueueError as error:
            raise adapter_error(error) from error
        return await execute(command_name, *arguments, **named)

    async def execute_command_async(command_name: str, *arguments: Any, **named: Any) -> Any:
        check(command_name)
        return await execute_async(command_name, *arguments, **named)

    execute, execute_async = handlers.execute_command, handlers.execute_command_async
    setattr(execute_command, _CHECKED, True)
    replace(handlers, "execute_command", execute_command)
    for module in (handlers, app_factory_routes):
        replace(module, "execute_command_async", execute_command_async)


def check_sessions(allowed: Callable[[str], bool]) -> None:
    """Let ``allowed`` say whether a session of /ws may run a command."""

    def check_command_permission(command_name: str, *_: Any, **__: Any) -> bool:
        return allowed(command_name)

    replace(command_session_service, "check_command_permission", check_command_permission)


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


def filter_session_metadata(is_visible: Callable[[str], Awaitable[bool]]) -> None:
    """Let what the adapter remembers of a session be told only to those for whom its job exists."""
    get = command_session_service.get_command_session_metadata

    async def get_command_session_metadata(job_id: str) -> Any:
        return await get(job_id) if await is_visible(job_id) else None

    replace(ws_endpoint, "get_command_session_metadata", get_command_session_metadata)


def _auth_is_on(config: Config) -> bool:
    return bool(_section(config, "auth").get("use_token"))


def _section(config: Config, name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}
