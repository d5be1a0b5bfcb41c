"""Arguments that a tool asks its caller's user for, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from mcp_queue_plugin.adapter.bridge.tools import CommandDescription
from mcp_queue_plugin.mcp.failures import refuse
from mcp_queue_plugin.mcp.questions import elicitation


def missing_arguments(
    command: CommandDescription, arguments: dict[str, Any], responses: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """What has to be asked before a call can be served; None once there is nothing to ask.

    Answers that came with the call, by the keys of the questions, join its ``arguments``.

    Raises:
        MCPError: an answer is none, or it was declined.
    """
    open_questions = {}
    for key, names in command.asks_for.items():
        missing = [name for name in names if name not in arguments]
        if not missing:
            continue
        if responses is None or key not in responses:
            open_questions[key] = elicitation(f"{command.description}: {', '.join(missing)}?", _form(command, missing))
        else:
            arguments.update(_accepted(key, responses[key], missing))
    return {"resultType": "input_required", "inputRequests": open_questions} if open_questions else None


def _form(command: CommandDescription, names: Sequence[str]) -> dict[str, Any]:
    properties = command.parameters.get("properties", {})
    return {
        "type": "object",
        "properties": {name: properties.get(name, {"type": "string"}) for name in names},
        "required": list(names),
    }


def _accepted(key: str, response: Any, names: Sequence[str]) -> dict[str, Any]:
    told = response.model_dump(by_alias=True) if isinstance(response, BaseModel) else response
    if not isinstance(told, dict) or told.get("action") != "accept" or not isinstance(told.get("content"), dict):
        refuse(f"the question {key!r} was not answered")
    return {name: told["content"][name] for name in names if name in told["content"]}
