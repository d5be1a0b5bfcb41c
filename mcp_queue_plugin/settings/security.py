"""What nobody may send, and what nobody is shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_queue_plugin.settings.fields import Bytes, Count, Name, Section, setting

LargestDepth = Annotated[int, Field(ge=8, le=200)]


class SecuritySettings(Section):
    """Bounds on what clients send, and how secrets are kept."""

    max_body_bytes: Bytes = setting(
        4_194_304,
        "How large a request on the JSON-RPC routes may be. Room for a batch of requests with parameters of "
        "`limits.params_bytes`.",
        unit="bytes",
    )
    max_depth: LargestDepth = setting(
        64,
        "How deep objects and lists may be nested in a request, and in the parameters of a job. Real data is not so "
        "deep, and what reads it calls itself at each level.",
        unit="levels",
    )
    max_waits_per_caller: Count = setting(
        2000,
        "How many calls of one caller may wait at the same time, as long-polls do; the next is refused with "
        "`TOO_MANY_WAITS`. Enough for a large dashboard; a caller that leaks waits does not use up the server.",
        unit="calls",
    )
    # Only the lists themselves are lax, so that JSON's arrays become tuples; their items stay strict.
    masked_keys: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        ("password", "token", "secret", "authorization", "api_key"),
        "The values of keys that contain one of these words, in any case, are shown as `***` where the queue itself "
        "tells of them, as in a refusal. A job gets them as they are.",
    )
    env_deny: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        (),
        "The environment variables that jobs do not inherit from the server, by name or pattern (`AWS_*`). None by "
        "default, because jobs need their API keys. The variables of these settings, `MCP_QUEUE__*`, are never "
        "inherited.",
    )
