"""Asking the file for rows: of committed changes only, one query at a time or several of one and the same state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

import apsw

Row = Sequence[Any]
Execute = Callable[..., Iterator[Row]]
"""Called with SQL and its values, and answers each row as it is asked for."""


class Look(Protocol):
    """Something that can be asked for rows. Its methods raise StoreUnavailable when the file cannot be read."""

    def fetch(self, sql: str, *values: str | float) -> Sequence[Row]:
        """All rows of a query."""
        ...

    def snapshot(self) -> AbstractContextManager[Execute]:
        """Queries of one and the same state of the file: what is committed meanwhile is not seen."""
        ...


@contextmanager
def snapshot_of(connection: apsw.Connection) -> Iterator[Execute]:
    """Queries on ``connection`` that all see the same state. The body must not suspend."""
    with ExitStack() as at_end:
        connection.execute("BEGIN")
        at_end.callback(_end_reading, connection)

        def execute(sql: str, values: Sequence[str | int]) -> Iterator[Row]:
            cursor = connection.execute(sql, values)
            at_end.callback(cursor.close)
            return cursor

        yield execute


def _end_reading(connection: apsw.Connection) -> None:
    # A query that has failed may have ended the transaction already.
    if connection.in_transaction:
        connection.execute("COMMIT")
