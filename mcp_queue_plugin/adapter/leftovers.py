"""Temporary stores: what their files are called, and the end of those that a killed server has left behind."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mcp_queue_plugin.store.sqlite.header import PARTS
from mcp_queue_plugin.store.sqlite.ownership import read_owner
from mcp_queue_plugin.workers import orphans

logger = logging.getLogger(__name__)

# Between making its lock file and signing it a store's owner is not to be disturbed; it takes far less than this.
UNSIGNED_SECONDS = 60.0

_SUFFIXES = (*PARTS, ".lock")
"""Of a store's files, in the order of their removal: the lock goes last, as it tells whose the others are."""

_FILE = re.compile(r"(?P<store>mcp-queue-[0-9a-f]{16}\.db)(-wal|-shm|\.lock)?")


def new_temporary_path() -> Path:
    """Where a store that goes with its server may be made; what killed servers have left there is removed."""
    folder = Path(tempfile.gettempdir())
    remove_leftovers(folder, time.time())
    return folder / f"mcp-queue-{secrets.token_hex(8)}.db"


def remove_leftovers(folder: Path, now: float) -> None:
    """Remove this user's temporary stores in ``folder`` that no living server owns; ``now`` is the wall time.

    What cannot be looked at or removed is logged and left.
    """
    changed_at: dict[Path, float] = {}
    try:
        for store, file_changed_at in _files(folder):
            changed_at[store] = max(file_changed_at, changed_at.get(store, file_changed_at))
    except OSError as error:
        logger.warning("The folder of temporary stores cannot be read: %s", error)
    for store, store_changed_at in changed_at.items():
        try:
            _remove_if_left(store, is_young=now - store_changed_at < UNSIGNED_SECONDS)
        except OSError as error:
            logger.warning("The temporary store %s of an earlier server cannot be removed: %s", store, error)


def _files(folder: Path) -> Iterator[tuple[Path, float]]:
    """The store that each of this user's files in ``folder`` belongs to, and when that file was changed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            named = _FILE.fullmatch(entry.name)
            if named is None:
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                # Its server has just ended.
                continue
            if found.st_uid == os.getuid() and stat.S_ISREG(found.st_mode):
                yield folder / named["store"], found.st_mtime


def _remove_if_left(store: Path, *, is_young: bool) -> None:
    # The database itself is never opened: closing it would drop the locks of a store of this very process.
    try:
        descriptor = os.open(f"{store}.lock", os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        if not is_young:
            _remove(store)
        return
    try:
        owner = read_owner(descriptor)
        if owner is not None and owner.is_alive:
            # It has lost its engine, or is about to end, and sees to its store itself.
            return
        if owner is not None or not is_young:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if owner is not None:
                orphans.kill_marked(owner.mark)
            _remove(store)
    except BlockingIOError:
        # Its server lives.
        return
    finally:
        os.close(descriptor)


def _remove(store: Path) -> None:
    for suffix in _SUFFIXES:
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    logger.info("Removed the temporary store %s, which an earlier server has left", store)
