"""Who may see and do what, of those whom the adapter lets in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mcp_queue_plugin.settings.fields import Name, Section, setting


class AccessSettings(Section):
    """Whose jobs a caller sees. A caller is who bears a token that the adapter accepts."""

    owner_only: bool = setting(
        True,
        "Whether a caller sees, stops and deletes its own jobs alone; those of others do not exist for it. True, "
        "because an id that is told to somebody else should open nothing. Without authentication there is one owner, "
        "and the setting changes nothing.",
    )
    # Only the list itself is lax, so that JSON's arrays become tuples; its items stay strict.
    admin_roles: Annotated[tuple[Name, ...], Field(strict=False)] = setting(
        ("*",),
        "The adapter's roles whose bearers see all jobs, and may pause queues. `*` is the name of one role, the "
        "adapter's own word for an administrator.",
    )
