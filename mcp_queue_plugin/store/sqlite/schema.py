"""The schema's versions, and the way from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

MIGRATIONS: tuple[str, ...] = (Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"),)
"""The script at index n leads from version n to n + 1; an empty file has version 0."""


def migrate(connection: apsw.Connection, migrations: Sequence[str]) -> None:
    """Bring the schema to the newest version, in one transaction: all of it or nothing."""
    version = connection.pragma("user_version")
    if version == len(migrations):
        return
    with connection:
        for script in migrations[version:]:
            connection.execute(script)
        connection.pragma("user_version", len(migrations))
    # The file's own header is to say the new version: a release that does not know it must not have to open the WAL.
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
