"""Who calls: whose jobs exist for the code that runs now, and which commands it may run."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple

from mcp_queue_plugin.errors import AdminsOnly, CommandForbidden

AccessMode = Literal["one_owner", "shared", "owner_only"]
"""Whose jobs exist for a caller: there is one owner alone, there are several who see all, or each sees its own."""

_OWNER_SALT = b"mcp-queue-plugin owner"


class Caller(NamedTuple):
    """One who calls: a client of the server, or the server itself."""

    owner: str | None
    """Whose the jobs are that it hands in; None for nobody's."""
    sees_all: bool = True
    """Whether all jobs exist for it, and not its own alone."""
    is_admin: bool = True
    """Whether it may do what concerns everybody's jobs."""
    may_run: Callable[[str], bool] = lambda _: True
    """Whether it may run the command of this name."""
    roles: tuple[str, ...] = ()
    """Its roles, as the adapter's configuration names them."""


SERVER = Caller(owner=None)
"""The server itself: what it does is on behalf of no client."""

NOBODY = Caller(owner="nobody", sees_all=False, is_admin=False)
"""A client that has not said who it is, where that is asked for."""

_current: ContextVar[Caller] = ContextVar("mcp_queue_caller", default=SERVER)


def current_caller() -> Caller:
    """Who calls the code that runs now."""
    return _current.get()


def viewer() -> str | None:
    """Whose jobs alone exist for the caller; None if all do."""
    caller = _current.get()
    return None if caller.sees_all else caller.owner


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Let ``caller`` be who calls within the block, and in the tasks that begin there."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)


def require_command(name: str) -> None:
    """Check that the caller may run a command.

    Raises:
        CommandForbidden: it may not.
    """
    if not _current.get().may_run(name):
        raise CommandForbidden(f"you lack the permission that {name!r} requires", command=name)


def require_admin(doing: str) -> None:
    """Check that the caller may do what concerns everybody's jobs.

    Raises:
        AdminsOnly: it may not.
    """
    if not _current.get().is_admin:
        raise AdminsOnly(f"{doing} is for callers with one of the roles of access.admin_roles")


@functools.lru_cache(maxsize=1024)
def owner_of(kind: str, name: str) -> str:
    """A stable id for who proves to be ``name``, a token for one, from which ``name`` cannot be told.

    It is slow to compute (scrypt, RFC 7914), so that whoever has the store's file cannot try out tokens either.
    """
    digest = hashlib.scrypt(f"{kind}:{name}".encode(), salt=_OWNER_SALT, n=2**14, r=8, p=1, dklen=16)
    return f"{kind}-{digest.hex()}"
