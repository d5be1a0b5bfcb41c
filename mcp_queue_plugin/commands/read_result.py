"""``queue_get_job_result``: a result piece by piece, however large it is."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.commands.base import JOB_ID, READS, QueueCommand
from mcp_queue_plugin.commands.read_jobs import cursor_of
from mcp_queue_plugin.model.queries import RESULT_PIECE_MAX_BYTES
from mcp_queue_plugin.model.text import piece_at

PIECE_DEFAULT_BYTES = 32_768


class QueueGetJobResultCommand(QueueCommand):
    """Read the document of a job's result in pieces."""

    name = "queue_get_job_result"
    mcp_annotations = READS
    descr = (
        "Get a piece of a job's result as JSON text, for results that are too large to be shown at once. Begin without "
        "a cursor; with next_cursor of one piece as cursor of the next the pieces make up the whole; it is null behind "
        "the last"
    )
    properties: ClassVar[dict[str, Any]] = {
        "job_id": JOB_ID,
        "cursor": {"type": "string", "description": "next_cursor of the piece before"},
        "limit_bytes": {
            "type": "integer",
            "description": "At most so many bytes of UTF-8",
            "minimum": 16,
            "maximum": RESULT_PIECE_MAX_BYTES,
            "default": PIECE_DEFAULT_BYTES,
        },
    }
    required = ("job_id",)

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one piece; the text is empty as long as there is no result."""
        answer = await manager.engine.status(params["job_id"])
        document, start = answer.result or b"", cursor_of(params) or 0
        text, end = piece_at(document, start, params.get("limit_bytes", PIECE_DEFAULT_BYTES))
        return {
            "job_id": params["job_id"],
            "status": answer.job.status.value,
            "text": text,
            "next_cursor": str(end) if end < len(document) else None,
            "total_bytes": len(document),
        }
