"""Jobs in one SQLite file: SQL persists, ``model.decide`` decides.

``store`` is the face for the server that owns the file and ``reader`` the one for those who only look; both read by
``reading``. ``records`` applies operations inside a transaction; ``database`` is the file, opened, checked, migrated
and checkpointed; ``ownership`` keeps it to one server; ``failures`` says what the world has done to it, and ``aside``
makes room for a new one.
"""

from mcp_queue_plugin.store.sqlite.ownership import Owner, Succession
from mcp_queue_plugin.store.sqlite.store import SqliteStore

__all__ = ["Owner", "SqliteStore", "Succession"]
