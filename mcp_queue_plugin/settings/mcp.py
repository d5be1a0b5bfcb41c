"""The MCP endpoint: where it is, what it offers, and how much it says at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_queue_plugin.settings.fields import Name, Section, setting

EndpointPath = Annotated[
    str,
    Field(
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        max_length=200,
        json_schema_extra={"x-words": "path (like /mcp, without a slash at its end)"},
    ),
]
OutputBytes = Annotated[int, Field(ge=1024, le=16_777_216)]


class ToolSettings(Section):
    """Which commands are tools, by name or pattern (`queue_*`)."""

    # Only the lists themselves are lax, so that JSON's arrays become tuples; their items stay strict.
    allow: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        ("*",),
        "The commands that are offered as tools. All, because a command that is registered is meant to be called.",
    )
    deny: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        (),
        "Of those the ones that are not. They can be called over JSON-RPC as before.",
    )


class McpSettings(Section):
    """The endpoint for MCP clients."""

    enabled: bool = setting(
        True,
        "Whether the server speaks MCP (Streamable HTTP) at `path`. True, because it lets in nobody whom the "
        "JSON-RPC routes do not.",
    )
    path: EndpointPath = setting(
        "/mcp",
        "Where it does. With a slash at its end it answers as well.",
    )
    tools: ToolSettings = ToolSettings()
    max_output_bytes: OutputBytes = setting(
        65_536,
        "How much of a result, of a log or of a list an answer holds, in bytes of JSON; the rest is told by its "
        "cursor. Clients cut what a model reads at about 25,000 tokens, and do not say where.",
        unit="bytes",
    )
    allowed_hosts: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        (),
        "The values of the `Host` header that are served, `name:*` for any port. A web page that has its own name "
        "resolved to this machine (DNS rebinding) brings another.",
        special="`[]`: the names of this machine itself if `server.host` is one of them; else all",
    )
    allowed_origins: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        (),
        "The web pages that may call, by the value of their `Origin` header, `https://name:*` for any port. Where "
        "hosts are checked, those that were served from an allowed host may as well; clients that are no browsers "
        "send none.",
    )
