"""Questions of jobs as the protocol asks them: elicitation in form mode, whose answers are objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.mcp.references import DEFINITIONS, with_references
from mcp_queue_plugin.model.job import Job, Question
from mcp_queue_plugin.model.questions import AnswerAction

ANSWER = "answer"
"""The one field of a form that asks for something which is no object."""

_OF_THE_ROOT = ("$schema", *DEFINITIONS)
"""What a schema keeps at its root when it becomes the schema of a form's field."""


def input_requests(job: Job) -> dict[str, Any]:
    """The open questions of a job, by their keys."""
    return {question.key: elicitation(question.prompt, _form(question)) for question in job.questions}


def answer_of(question: Question, response: Any) -> tuple[AnswerAction, Any]:
    """What a client's response to a question says, and the value that it answers, if it accepts.

    Raises:
        InvalidParameters: it is no answer of a form.
    """
    response = response if isinstance(response, dict) else {}
    try:
        action = AnswerAction(response.get("action"))
    except ValueError:
        actions = ", ".join(action.value for action in AnswerAction)
        raise _no_answer(question, f"its action must be one of {actions}") from None
    if action is not AnswerAction.ACCEPT:
        return action, None
    content = response.get("content")
    if not isinstance(content, dict):
        raise _no_answer(question, "its content must be an object")
    if _asks_for_object(question):
        return action, content
    if ANSWER not in content:
        raise _no_answer(question, f"its content must hold {ANSWER!r}")
    return action, content[ANSWER]


def elicitation(message: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A request to ask somebody; ``schema`` is that of an object."""
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


def _form(question: Question) -> dict[str, Any]:
    wanted = _schema(question)
    return wanted if _asks_for_object(question) else _form_of_field(wanted)


def _form_of_field(wanted: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object whose one field is what ``wanted`` asks for; its references lead where they led."""
    # In draft 4 it has another name.
    identity = "id" if "draft-04" in str(wanted.get("$schema")) else "$id"
    if _is_document(wanted, identity):
        # References within it are to itself, wherever it stands.
        kept = {key: wanted[key] for key in ("$schema",) if key in wanted}
        return {**kept, **_object_of({ANSWER: wanted})}
    moved = with_references(wanted, _moved, lambda schema: _is_document(schema, identity))
    root = {key: moved.pop(key) for key in _OF_THE_ROOT if key in moved}
    return {**root, **_object_of({ANSWER: moved})}


def _is_document(schema: Mapping[str, Any], identity: str) -> bool:
    name = schema.get(identity)
    return isinstance(name, str) and not name.startswith("#")


def _moved(keyword: str, reference: str) -> str:
    """A reference to a place of the root as it is once the root is a field."""
    is_place = keyword != "$recursiveRef" and (reference == "#" or reference.startswith("#/"))
    stays = unquote(reference).startswith(tuple(f"#/{key}/" for key in _OF_THE_ROOT))
    return f"#/properties/{ANSWER}{reference[1:]}" if is_place and not stays else reference


def _asks_for_object(question: Question) -> bool:
    return _schema(question).get("type") == "object"


def _schema(question: Question) -> dict[str, Any]:
    # What may be any value is asked for as a text: a form cannot show more.
    schema: dict[str, Any] = {"type": "string"} if question.schema is None else json.loads(question.schema)
    return schema


def _object_of(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _no_answer(question: Question, why: str) -> InvalidParameters:
    return InvalidParameters(
        f"the response to {question.key!r} is no answer: {why}", field="inputResponses", key=question.key
    )
