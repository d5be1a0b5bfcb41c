"""Whether a file is a store of jobs, told from its first bytes, before SQLite touches it."""

from __future__ import annotations

from pathlib import Path

from mcp_queue_plugin.errors import StoreRefused

APPLICATION_ID = 0x4D435051
"""``MCPQ``: what SQLite's header says of whose file it is."""

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

    """
    if not path.exists():
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        return
    if not header.startswith(_SQLITE_MAGIC) or len(header) < _HEADER_BYTES:
        raise refusal(path, _not_sqlite(path, header))
    if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
        raise refusal(path, "it is the SQLite database of another program")
    check_version(path, int.from_bytes(header[_USER_VERSION], "big"), newest=newest)


def check_version(path: Path, version: int, *, newest: int) -> None:
    """Refuse a store that a newer release has written.

    Raises:
        StoreRefused: ``version`` is beyond ``newest``.

    """
    if version > newest:
        raise refusal(path, f"its schema has version {version}, and this release knows versions up to {newest}")


def refusal(path: Path, reason: str) -> StoreRefused:
    """The error that says why ``path`` is not taken as a store, and what to do."""
    return StoreRefused(
        f"{path} cannot be the queue's store: {reason}. It was left untouched; choose another registry_path",
        path=str(path),
        reason=reason,
    )


def _not_sqlite(path: Path, header: bytes) -> str:
    if path.suffix == ".jsonl" or header.lstrip().startswith(b"{"):
        return "it is a registry of the adapter's own queue, and those are not taken over"
    return "it is not an SQLite database"
