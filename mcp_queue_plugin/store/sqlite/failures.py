"""What the world can do to the file, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from mcp_queue_plugin.errors import StoreDamaged, StoreUnavailable

BUSY_TIMEOUT_MILLISECONDS = 1_000
"""How long to wait for a stranger (a backup, a shell) that holds a lock on the file."""

SET_ASIDE = "mcp-queue store set-aside"
"""The command that makes room for a new store without destroying the old one."""

DAMAGE_ADVICE = (
    f"the file is damaged and was left as it is; restore it from a backup, or set it aside with {SET_ASIDE!r}"
)

_ACCESS = "check that this user may read and write the file and its folder"
_SPACE = "free some space on its disk"
_MEMORY = "free some memory"
_READ_ONLY = "make the file and its file system writable"
_DESCRIPTORS = "raise the limit of open files (ulimit -n; LimitNOFILE of a systemd unit)"
_LOCK = "end the program that holds a lock on the file"

_ADVICE: dict[type[BaseException], str] = {
    apsw.FullError: _SPACE,
    apsw.IOError: "check its disk, and whether its file system has become read-only",
    apsw.BusyError: _LOCK,
    apsw.ProtocolError: _LOCK,
    apsw.CantOpenError: _ACCESS,
    apsw.ReadOnlyError: _READ_ONLY,
    apsw.PermissionsError: _ACCESS,
    apsw.NoMemError: _MEMORY,
    MemoryError: _MEMORY,
    OSError: _ACCESS,
}

_ADVICE_BY_NUMBER = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EROFS: _READ_ONLY,
    errno.EMFILE: _DESCRIPTORS,
    errno.ENFILE: _DESCRIPTORS,
    errno.ENOMEM: _MEMORY,
}
"""What the kernel's own number for an error says better than its type."""

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)

OF_THE_WORLD: tuple[type[BaseException], ...] = (*_DAMAGE, *_ADVICE)
"""What is the world's doing. Any other error is a mistake of ours and stays itself."""


def failure(error: BaseException, path: Path, done: str) -> StoreUnavailable:
    """What an error ``OF_THE_WORLD`` means for the store at ``path``; ``done`` is a word like "read"."""
    reason = f"{type(error).__name__}: {error}"
    kind, advice = (StoreDamaged, DAMAGE_ADVICE) if isinstance(error, _DAMAGE) else (StoreUnavailable, _advice(error))
    return kind(
        f"the queue's store {path} cannot be {done}: {reason}; {advice}",
        path=str(path),
        reason=reason,
    )


@contextmanager
def translated(path: Path, done: str) -> Iterator[None]:
    """Raise what the world does to the store at ``path`` as the error that says so.

    Raises:
        StoreDamaged: what is in the file makes no sense.
        StoreUnavailable: anything else that is not a mistake of ours.

    """
    try:
        yield
    except OF_THE_WORLD as error:
        raise failure(error, path, done) from error


def _advice(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in _ADVICE_BY_NUMBER:
        return _ADVICE_BY_NUMBER[number]
    return next(advice for kind, advice in _ADVICE.items() if isinstance(error, kind))
