"""One server per store: a lock on a side file that the kernel frees when its holder is gone, however it went."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from mcp_queue_plugin.clock import iso8601
from mcp_queue_plugin.errors import StoreInUse

LEAVING_SECONDS = 5.0
"""How long an owner whose server has ended may hold the store: it is just ending what it has started."""

_LOOK_AGAIN_SECONDS = 0.01

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Owner(msgspec.Struct, frozen=True):
    """What the lock file says: the server that owns the store, and when it started (ISO 8601).

    ``life`` tells it from other processes that had, or will have, its id: the boot and the clock ticks since then at
    its start, which no clock that is set changes. ``mark`` is in the environment of every process that was started for
    a job, so that those can be found.
    """

    pid: int
    started_at: str
    life: str
    mark: str

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The server with this process id, which runs, as a new owner."""
        started_at = iso8601(psutil.Process(pid).create_time()) or ""
        return cls(pid, started_at, _life(pid), secrets.token_hex(16))

    @property
    def is_alive(self) -> bool:
        """Whether that server still runs."""
        try:
            return _life(self.pid) == self.life
        except (FileNotFoundError, ProcessLookupError):
            return False


class Succession(NamedTuple):
    """How a store is taken from the owner before.

    ``takes_over`` says that a former engine of the same server is letting go: it is waited for. ``on_abandoned`` is
    called with the mark of an owner that was killed, before anything is recovered; it ends what is left of that owner's
    processes.
    """

    takes_over: bool = False
    on_abandoned: Callable[[str], None] = lambda _mark: None


PEACEFUL = Succession()
"""Nobody is waited for, and nothing is left to be ended."""


class Ownership:
    """The lock on ``<path>.lock``. It excludes other processes, and other stores of this process."""

    def __init__(self, path: Path, owner: Owner, *, takes_over: bool = False) -> None:
        """Prepare to own the store at ``path``; see ``Succession`` for ``takes_over``."""
        self._store = path
        self._path = path.with_name(f"{path.name}.lock")
        self._owner = owner
        self._takes_over = takes_over
        self._descriptor: int | None = None
        self._former: Owner | None = None
        self._ours_to_remove = False

    def take(self) -> None:
        """Lock the file, without writing to it: it may yet turn out that the store is not one of ours.

        An owner whose server is gone gets some seconds to end.

        Raises:
            StoreInUse: another server owns the store.
            OSError: the lock file cannot be made.

        """
        deadline = time.monotonic() + LEAVING_SECONDS
        while True:
            descriptor, created = _open(self._path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = read_owner(descriptor)
                os.close(descriptor)
                if not self._is_leaving(holder) or time.monotonic() > deadline:
                    raise self._in_use(holder) from None
                time.sleep(_LOOK_AGAIN_SECONDS)
                continue
            if _is_file_at(descriptor, self._path):
                self._former = self._former_owner(descriptor)
                break
            # Its owner removed the file between our opening and locking it.
            os.close(descriptor)
        self._descriptor = descriptor
        self._ours_to_remove = created

    def former(self) -> Owner | None:
        """The owner before the store was taken, if it was killed: an orderly end removes the file."""
        return self._former

    def sign(self) -> None:
        """Say in the file who owns the store."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, msgspec.json.encode(self._owner), 0)
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

    def _former_owner(self, descriptor: int) -> Owner | None:
        former = read_owner(descriptor)
        if former is not None and former.pid != self._owner.pid and former.is_alive:
            # It has only lost its engine, and is about to open the store again.
            os.close(descriptor)
            raise self._in_use(former)
        return former

    def _is_leaving(self, holder: Owner | None) -> bool:
        if holder is None:
            return False
        return not holder.is_alive or (self._takes_over and holder.pid == self._owner.pid)

    def _in_use(self, owner: Owner | None) -> StoreInUse:
        if owner is None:
            return StoreInUse(f"the store {self._store} is being taken by another server", path=str(self._store))
        return StoreInUse(
            f"the store {self._store} is owned by the server with process id {owner.pid}, which started at "
            f"{owner.started_at}: stop that server, or give this one a registry_path of its own. An SQLite file serves "
            "one server; jobs that several servers share need a Redis store, which this version does not have yet",
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


def read_owner(descriptor: int) -> Owner | None:
    """What a lock file says, None if nobody has signed it."""
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Owner)
    except msgspec.DecodeError:
        return None


def _life(pid: int) -> str:
    # Behind the name, which may hold anything, the fields are single words; see proc(5).
    ticks = Path("/proc", str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return f"{_BOOT_ID.read_text().strip()} {ticks}"


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
