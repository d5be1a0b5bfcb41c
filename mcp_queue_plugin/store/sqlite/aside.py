"""Making room for a new store: the old one goes into a folder of its own, whole and unread."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from mcp_queue_plugin.errors import StoreInUse, StoreUnavailable
from mcp_queue_plugin.store.sqlite import header
from mcp_queue_plugin.store.sqlite.failures import translated
from mcp_queue_plugin.store.sqlite.ownership import Owner, Ownership


def set_aside(path: Path, *, now: float) -> list[Path]:
    """Move the store at ``path``, in whatever state, into a new folder beside it; where its files are then.

    The folder is named after the store and ``now`` (seconds since the epoch), the files keep their names. Call it only
    in a process that has not opened the store.

    Raises:
        StoreInUse: a server owns the store.
        StoreRefused: it is certainly not a store.
        StoreUnavailable: there is none, or it cannot be moved.

    """
    path = path.resolve()
    ownership = Ownership(path, Owner.of(os.getpid()))
    with translated(path, "set aside"):
        header.check_kind(path)
        if not _parts(path):
            raise StoreUnavailable(f"there is no store at {path} to set aside", path=str(path))
        try:
            ownership.take()
        except StoreInUse as error:
            raise StoreInUse(f"{error.message.partition(': ')[0]}: stop it first", **error.data) from error
        try:
            header.check_owner(path)
            return _move(_parts(path), path.with_name(f"{path.name}.set-aside-{_stamp(now)}"))
        finally:
            ownership.release()


def _parts(path: Path) -> list[Path]:
    # The database first: without it a server refuses what a crash in between would leave.
    parts = (path.with_name(f"{path.name}{suffix}") for suffix in header.PARTS)
    return [part for part in parts if part.exists()]


def _move(parts: list[Path], folder: Path) -> list[Path]:
    # A folder that is new holds nothing that could be overwritten.
    folder.mkdir(mode=0o700)
    moved = [part.rename(folder / part.name) for part in parts]
    for changed in (folder, folder.parent):
        _sync(changed)
    return moved


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
