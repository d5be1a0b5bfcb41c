"""Questions of jobs as the protocol asks them: elicitation in form mode, whose answers are objects."""

from __future__ import annotations

import json
from typing import Any

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.job import Job, Question
from mcp_queue_plugin.model.questions import AnswerAction

ANSWER = "answer"
"""The one field of a form that asks for something which is no object."""


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
    return wanted if _asks_for_object(question) else _object_of({ANSWER: wanted})


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
