"""Whether a file is a store of jobs, told from its first bytes, before SQLite touches it."""

from __future__ import annotations

from pathlib import Path

from mcp_queue_plugin.errors import StoreDamaged, StoreRefused
from mcp_queue_plugin.store.sqlite.failures import DAMAGE_ADVICE, SET_ASIDE

APPLICATION_ID = 0x4D435051
"""``MCPQ``: what SQLite's header says of whose file it is."""

PARTS = ("", "-wal", "-shm")
"""What is behind the name of a store's files, the database first."""

_SQLITE_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_USER_VERSION = slice(60, 64)
_APPLICATION_ID = slice(68, 72)


def check_kind(path: Path) -> None:
    """Refuse what is there but is no file.

    Raises:
        StoreRefused: ``path`` is a directory, a device or the like.

    """
    if path.exists() and not path.is_file():
        raise refusal(path, "it is a directory or a device: a store is a file")


def check_header(path: Path, *, newest: int) -> None:
    """Refuse a file that is not a store of version ``newest`` or older; a missing or an empty one will become one.

    Call it only while no SQLite connection of this process has the file open: closing it drops their locks.

    Raises:
        StoreRefused: the file is somebody else's, or of a newer version.
        StoreDamaged: it was a store, and is cut off.

    """
    header = _read(path)
    if not header:
        # SQLite takes an empty file for a new one, and removes the log beside it, in which jobs may be.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise _damaged(path, "it is empty or gone, and its write-ahead log is there")
        return
    check_owner(path, header)
    if not header.startswith(_SQLITE_MAGIC):
        raise refusal(path, "it is not an SQLite database", f", or, if it is a damaged store, run {SET_ASIDE!r}")
    if len(header) < _HEADER_BYTES:
        raise _damaged(path, f"it is cut off after {len(header)} bytes")
    check_version(path, int.from_bytes(header[_USER_VERSION], "big"), newest=newest)


def check_owner(path: Path, header: bytes | None = None) -> None:
    """Refuse a file that is certainly somebody else's; it need not be a sound one.

    Call it under the same condition as ``check_header``.

    Raises:
        StoreRefused: it is the database of another program, or a registry of the adapter's.

    """
    if header is None:
        header = _read(path)
    if len(header) == _HEADER_BYTES and header.startswith(_SQLITE_MAGIC):
        if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
            raise refusal(path, "it is the SQLite database of another program")
    elif header and (path.suffix == ".jsonl" or header.lstrip().startswith(b"{")):
        raise refusal(path, "it is a registry of the adapter's own queue, and those are not taken over")


def check_version(path: Path, version: int, *, newest: int) -> None:
    """Refuse a store that a newer release has written.

    Raises:
        StoreRefused: ``version`` is beyond ``newest``.

    """
    if version > newest:
        raise refusal(path, f"its schema has version {version}, and this release knows versions up to {newest}")


def refusal(path: Path, reason: str, alternative: str = "") -> StoreRefused:
    """The error that says why ``path`` is not taken as a store, and what to do."""
    return StoreRefused(
        f"{path} cannot be the queue's store: {reason}. "
        f"It was left untouched; choose another registry_path{alternative}",
        path=str(path),
        reason=reason,
    )


def _read(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES)


def _damaged(path: Path, reason: str) -> StoreDamaged:
    return StoreDamaged(
        f"the queue's store {path} cannot be opened: {reason}; {DAMAGE_ADVICE}", path=str(path), reason=reason
    )
