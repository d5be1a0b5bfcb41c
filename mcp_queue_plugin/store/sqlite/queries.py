"""The SQL of the store, from ``queries.sql``."""

from __future__ import annotations

from pathlib import Path

from mcp_queue_plugin.store.sqlite.rows import COLUMNS


def load(path: Path) -> dict[str, str]:
    """The queries in the file at ``path`` by name, without comments, and with the columns of a record filled in."""
    _, *blocks = path.read_text(encoding="utf-8").split("-- name: ")
    return dict(_query(block) for block in blocks)


def _query(block: str) -> tuple[str, str]:
    name, *lines = block.splitlines()
    statement = "\n".join(line for line in lines if line and not line.startswith("--"))
    return name, statement.replace("{columns}", COLUMNS)


SQL = load(Path(__file__).with_name("queries.sql"))
