"""The adapter's internals around who a client is: its tokens, its roles, and whose a session of /ws is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcp_proxy_adapter.api import ws_endpoint, ws_identity
from mcp_proxy_adapter.api.middleware import command_permission_middleware, unified_security
from starlette.datastructures import Headers

from mcp_queue_plugin.adapter.bridge.server import replace

Config = Mapping[str, Any]

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
