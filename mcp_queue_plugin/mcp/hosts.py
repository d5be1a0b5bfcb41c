"""Which hosts and web pages are served: a page that a browser shows must not reach what listens on its machine."""

from __future__ import annotations

from mcp.server.transport_security import TransportSecuritySettings

from mcp_queue_plugin.settings.mcp import McpSettings

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def transport_security(settings: McpSettings, server_host: str | None) -> TransportSecuritySettings:
    """What the transport checks of the headers ``Host`` and ``Origin``."""
    hosts = settings.allowed_hosts
    if not hosts and server_host in ("127.0.0.1", "localhost", "::1"):
        hosts = tuple(name for host in LOOPBACK for name in (host, f"{host}:*"))
    served = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=bool(hosts),
        allowed_hosts=list(hosts),
        allowed_origins=[*served, *settings.allowed_origins],
    )
