"""What a tool answers: a command's answer as content, for programs and in text, cut where it is too long to read."""

from __future__ import annotations

import json
from typing import Any

from fastapi.encoders import jsonable_encoder
from mcp_types import CallToolResult, TextContent

from mcp_queue_plugin.model.text import piece_at


def of_envelope(envelope: Any, most_bytes: int) -> CallToolResult:
    """A command's answer, ``{success, data | error}`` or whatever it is, as the result of a tool call.

    The data are the structured content, whole; their text is cut to ``most_bytes``. An answer that says nothing but a
    message is that message.

    Raises:
        ValueError: it cannot be written as JSON.
    """
    if not isinstance(envelope, dict):
        return of_data({"result": envelope}, most_bytes)
    if envelope.get("success") is False or ("error" in envelope and not envelope.keys() & {"success", "data"}):
        return of_error(envelope.get("error"), most_bytes)
    message = envelope.get("message")
    data = envelope.get("data", {key: value for key, value in envelope.items() if key not in ("success", "message")})
    if not data and isinstance(message, str):
        return CallToolResult(content=[_text(message, most_bytes)], structured_content={"message": message})
    return of_data(data if isinstance(data, dict) else {"result": data}, most_bytes)


def of_data(data: dict[str, Any], most_bytes: int) -> CallToolResult:
    """``data`` as content.

    Raises:
        ValueError: they cannot be written as JSON.
    """
    try:
        text = as_text(data)
        text.encode()
    except (TypeError, ValueError):
        # What the adapter can say over JSON-RPC, it can say here; half a surrogate pair nobody can.
        text = as_text(jsonable_encoder(data)).encode("utf-8", "replace").decode()
        data = json.loads(text)
    return CallToolResult(content=[_text(text, most_bytes)], structured_content=data)


def of_error(error: Any, most_bytes: int) -> CallToolResult:
    """What went wrong, for a model to read: the message, and in JSON the code and the facts.

    It has no structured content, which clients would check against the schema of what the tool answers.
    """
    message = error.get("message") if isinstance(error, dict) else error
    facts = (
        {key: value for key, value in error.items() if key != "message" and value} if isinstance(error, dict) else {}
    )
    said = str(message or "the command failed and said nothing")
    if facts:
        said = f"{said}\n{json.dumps(facts, ensure_ascii=False, default=str)}"
    return CallToolResult(content=[_text(said, most_bytes)], is_error=True)


def as_text(data: Any) -> str:
    """JSON as it is shown.

    Raises:
        TypeError: it holds what JSON has no word for.
        ValueError: it holds a number that is none.
    """
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def _text(text: str, most_bytes: int) -> TextContent:
    document = text.encode("utf-8", "replace")
    if len(document) <= most_bytes:
        return TextContent(text=document.decode())
    piece, end = piece_at(document, 0, most_bytes)
    return TextContent(text=f"{piece}\n[cut: {end} of {len(document)} bytes are shown]")
