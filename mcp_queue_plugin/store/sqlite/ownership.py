"""One server per store: a lock on a side file that the kernel frees when its holder is gone, however it went."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
import psutil

from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.errors import StoreInUse


class Owner(msgspec.Struct, frozen=True):
    """What the lock file says: the process that owns the store, and when it started (ISO 8601)."""

    pid: int
    started_at: str


class Ownership:
    """The lock on ``<path>.lock``. It excludes other processes, and other stores of this process."""

    def __init__(self, path: Path) -> None:
        """Prepare to own the store at ``path``."""
        self._store = path
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor: int | None = None
        self._ours_to_remove = False

    def take(self) -> None:
        """Lock the file, without writing to it: it may yet turn out that the store is not one of ours.

        Raises:
            StoreInUse: another server owns the store.
            OSError: the lock file cannot be made.

        """
        while True:
            descriptor, created = _open(self._path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = _read(descriptor)
                os.close(descriptor)
                raise self._in_use(owner) from None
            if _is_file_at(descriptor, self._path):
                break
            # Its owner removed the file between our opening and locking it.
            os.close(descriptor)
        self._descriptor = descriptor
        self._ours_to_remove = created

    def sign(self) -> None:
        """Say in the file who owns the store."""
        if self._descriptor is not None:
            started_at = iso8601(psutil.Process().create_time()) or ""
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, msgspec.json.encode(Owner(os.getpid(), started_at)), 0)
            self._ours_to_remove = True

    def release(self) -> None:
        """Give the store back and remove the file, unless it was there before and nothing was written to it."""
        if self._descriptor is None:
            return
        if self._ours_to_remove:
            # Still locked, so nobody else can have taken it: whoever has it open finds that it is gone.
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _in_use(self, owner: Owner | None) -> StoreInUse:
        if owner is None:
            return StoreInUse(f"the store {self._store} is being taken by another server", path=str(self._store))
        return StoreInUse(
            f"the store {self._store} is owned by process {owner.pid}, which started at {owner.started_at}: "
            "stop that server, or give this one a registry_path of its own",
            path=str(self._store),
            pid=owner.pid,
            started_at=owner.started_at,
        )


def _open(path: Path) -> tuple[int, bool]:
    """A descriptor of the file at ``path``, and whether this call made the file."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), True
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600), False


def _read(descriptor: int) -> Owner | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Owner)
    except msgspec.DecodeError:
        return None


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
