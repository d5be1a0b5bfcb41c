"""Who may do what: from what the adapter accepts of a client to whom the client is for the queue."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from mcp_queue_plugin.adapter.bridge import security
from mcp_queue_plugin.adapter.bridge.commands import CheckedCommands
from mcp_queue_plugin.adapter.bridge.job_messages import JobMessages
from mcp_queue_plugin.adapter.bridge.security import Identity
from mcp_queue_plugin.adapter.bridge.server import is_adapters_own
from mcp_queue_plugin.adapter.callers import (
    NOBODY,
    SERVER,
    AccessMode,
    Caller,
    calling,
    current_caller,
    owner_of,
    require_admin,
    require_command,
)
from mcp_queue_plugin.adapter.enqueue import running_manager
from mcp_queue_plugin.adapter.job_types import refuse_reserved
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Job
from mcp_queue_plugin.settings import AccessSettings

_CALLERS = 1024


class Access:
    """Knows the callers of one server."""

    def __init__(self, config: Mapping[str, Any], settings: AccessSettings) -> None:
        """Read the adapter's own sections of ``config`` whenever somebody calls: they may change."""
        self._config = config
        self._settings = settings
        self._caller = functools.lru_cache(maxsize=_CALLERS)(self._known_caller)

    @property
    def asks_for_tokens(self) -> bool:
        """Whether only those are let in who have a token."""
        return security.asks_for_tokens(self._config)

    @property
    def mode(self) -> AccessMode:
        """Whose jobs exist for a caller."""
        if not self.asks_for_tokens:
            return "one_owner"
        return "owner_only" if self._settings.owner_only else "shared"

    def caller_of(self, scope: Mapping[str, Any]) -> Caller:
        """Who the client of an ASGI scope is; ``NOBODY`` is who has no token though one is asked for."""
        identity = security.identity_of(self._config, scope)
        if identity is not None:
            return self._caller(identity)
        return NOBODY if self.asks_for_tokens else SERVER

    def _known_caller(self, identity: Identity) -> Caller:
        is_admin = any(role in self._settings.admin_roles for role in identity.roles)
        return Caller(
            owner=owner_of(identity.kind, identity.name),
            sees_all=is_admin or not self._settings.owner_only,
            is_admin=is_admin,
            may_run=functools.partial(security.may_run, self._config, identity.roles),
            roles=identity.roles,
        )


def install() -> None:
    """Close what the adapter leaves open: every command is checked, and no token goes into a job or a log."""
    CheckedCommands(check_command).install()
    security.identify_sessions(caller_as_user)
    JobMessages(any_job, lambda: running_manager().waits.one()).install()


def check_command(name: str, params: Any) -> None:
    """Check that the caller may run a command, and that its parameters leave alone what the server itself passes.

    Raises:
        AccessDenied: the caller may not.
        InvalidParameters: a parameter has a name that the server keeps for itself.
    """
    require_command(name)
    if name in OF_OPERATORS and is_adapters_own(name):
        require_admin(name)
    if isinstance(params, dict):
        refuse_reserved(params, _PASSED_BY_THE_SERVER, "the parameter ")


OF_OPERATORS = (
    "config",
    "settings",
    "load",
    "unload",
    "reload",
    "plugins",
    "roles_management",
    "transport_management",
    "proxy_registration",
)
"""The adapter's own commands that show or change the server itself, its tokens and its code included."""

_PASSED_BY_THE_SERVER = ("context", "cls")


async def any_job(job_id: str) -> Job | None:
    """The record of a job, whoever calls; None if there is none, or the queue cannot tell."""
    try:
        with calling(SERVER):
            return (await running_manager().engine.status(job_id)).job
    except QueueError:
        return None


def caller_as_user() -> dict[str, Any]:
    """Who calls, as commands find it in their context; empty if nobody has said who it is."""
    caller = current_caller()
    return {"id": caller.owner, "role": None, "roles": list(caller.roles)} if caller.owner else {}
