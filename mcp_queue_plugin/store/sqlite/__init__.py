"""Jobs in one SQLite file: SQL persists, ``model.decide`` decides.

``store`` is the face; ``group`` applies operations inside a transaction; ``database`` is the file, opened, checked,
migrated and checkpointed; ``ownership`` keeps it to one server.
"""

from mcp_queue_plugin.store.sqlite.ownership import Owner
from mcp_queue_plugin.store.sqlite.store import SqliteStore

__all__ = ["Owner", "SqliteStore"]
