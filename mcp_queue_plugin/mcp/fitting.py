"""Answers of the queue's own commands, cut to what a model can read: the rest has a cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_queue_plugin.mcp.answers import as_text
from mcp_queue_plugin.model.queries import RESULT_PIECE_MAX_BYTES

Run = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Runs a command, by its name and with its parameters."""

READ_ON_WITH = "queue_get_job_result"
PAGED = frozenset({"queue_get_job_logs", "queue_list_jobs"})
"""The commands that answer less if they are asked for less."""
LIMIT_MIN_BYTES = 16


class Fitting:
    """Cuts answers."""

    def __init__(self, most_bytes: int, run: Run) -> None:
        """Let no answer of what ``run`` runs be larger than ``most_bytes`` as JSON, if it can be asked for less."""
        self._most = most_bytes
        self._run = run

    async def __call__(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a command; a page that does not fit is asked for once more, with fewer lines or rows on it."""
        envelope = await self._run(name, params)
        size, rows = _size(envelope), _rows(envelope) if name in PAGED else 0
        while size > self._most and rows > 1:
            rows = max(1, min(rows // 2, rows * self._most // size))
            envelope = await self._run(name, {**params, "limit": rows})
            size = _size(envelope)
        data = envelope.get("data")
        if size > self._most and isinstance(data, dict) and data.get("result"):
            return {**envelope, "data": await self._cut(data)}
        return envelope

    async def _cut(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record with the first piece of its result, as text."""
        said = f"the result is cut: read on from next_cursor with {READ_ON_WITH}"
        rest = {**record, "result": None, "result_note": said}
        # A text within a text: each of its quotes takes two bytes.
        room = min(RESULT_PIECE_MAX_BYTES, max(LIMIT_MIN_BYTES, (self._most - _size(rest)) // 2))
        piece = await self._run(READ_ON_WITH, {"job_id": record["job_id"], "limit_bytes": room})
        return {**rest, "result_piece": piece.get("data")}


def _size(document: dict[str, Any]) -> int:
    return len(as_text(document).encode("utf-8", "backslashreplace"))


def _rows(envelope: dict[str, Any]) -> int:
    data = envelope.get("data")
    if not isinstance(data, dict):
        return 0
    return max((len(data[key]) for key in ("entries", "jobs") if isinstance(data.get(key), list)), default=0)
