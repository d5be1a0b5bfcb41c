"""Questions that running jobs ask, and what asking and answering does to a job."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import msgspec

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.answer_schemas import check_schema
from mcp_queue_plugin.model.job import Job, Question, is_job_id
from mcp_queue_plugin.model.states import State
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.words import shown

QUESTIONS_MAX = 16
"""So many questions of a job may be open at once."""

PROMPT_MAX_LENGTH = 4_096
SCHEMA_MAX_BYTES = 8_192
ANSWER_MAX_BYTES = 65_536
"""So large the value of an answer may be as JSON: checking it by a schema holds up everybody else."""

_replace = msgspec.structs.replace


class AnswerAction(StrEnum):
    """What is done about a question."""

    ACCEPT = "accept"
    """It is answered with a value."""
    DECLINE = "decline"
    """Whoever was asked will not answer."""
    CANCEL = "cancel"
    """The question was dismissed without a choice."""


class GivenAnswer(msgspec.Struct, frozen=True):
    """What was answered to a question; ``value`` is a JSON document in UTF-8, empty unless it was accepted."""

    action: AnswerAction
    value: bytes = b""


def new_question(key: object, prompt: object, schema: object, attempt: int) -> Question:
    """The question that attempt ``attempt`` of a job asks.

    Raises:
        InvalidParameters: one of them cannot be a key, a prompt, or a JSON Schema.
    """
    if not is_key(key):
        raise _invalid("key", "a Unicode text of 1 to 200 characters, not blank and without NUL", key)
    if not isinstance(prompt, str) or len(prompt) > PROMPT_MAX_LENGTH or storable(prompt) != prompt:
        raise _invalid("prompt", f"a Unicode text of at most {PROMPT_MAX_LENGTH:,} characters", prompt)
    return Question(
        key=str(key), prompt=prompt, schema=None if schema is None else _encoded_schema(schema), attempt=attempt
    )


def check_answer_size(document: bytes) -> None:
    """Check that ``document``, the value of an answer as JSON, is not larger than ``ANSWER_MAX_BYTES``.

    Raises:
        InvalidParameters: it is.
    """
    if len(document) > ANSWER_MAX_BYTES:
        raise _too_large("value of an answer", "value", ANSWER_MAX_BYTES, len(document))


def told_question(key: str, prompt: str, schema: str | None, attempt: int) -> Question | None:
    """The question that a worker tells, which has checked it; None if it cannot have."""
    try:
        is_schema = schema is None or isinstance(json.loads(schema), dict)
    except (ValueError, RecursionError):
        is_schema = False
    return Question(key=key, prompt=prompt, schema=schema, attempt=attempt) if is_key(key) and is_schema else None


def is_key(value: object) -> bool:
    """Whether ``value`` can be the key of a question: what can be the id of a job."""
    return is_job_id(value)


def ask(job: Job, question: Question) -> Job | None:
    """What a question without an answer does to its running job; None if too many are open already.

    Asked again it takes the place of the question before. Those that an earlier attempt has left open, and this one has
    not asked again, make way when there are too many.
    """
    if job.state is State.STOPPING:
        # It is about to let go: nobody is to answer it any more.
        return job
    others = [other for other in job.questions if other.key != question.key]
    left_behind = [other for other in others if other.attempt < job.attempt]
    while len(others) >= QUESTIONS_MAX and left_behind:
        others.remove(left_behind.pop(0))
    if len(others) >= QUESTIONS_MAX:
        return None
    if question in job.questions:
        return job
    return _replace(job, state=State.INPUT_REQUIRED, questions=(*others, question))


def answer(job: Job, key: str, given: GivenAnswer, schema: str | None) -> Job | None:
    """What the answer to an open question does to its job; None if no such question is open.

    A value that was checked against another ``schema`` than the question's is no answer to it.
    """
    asked = next((question for question in job.questions if question.key == key), None)
    if asked is None or (given.action is AnswerAction.ACCEPT and schema != asked.schema):
        return None
    left = tuple(question for question in job.questions if question is not asked)
    waits = job.state is State.INPUT_REQUIRED and not any(question.attempt == job.attempt for question in left)
    return _replace(job, state=State.WORKING if waits else job.state, questions=left, has_answers=True)


def _encoded_schema(schema: object) -> str:
    if not isinstance(schema, dict):
        raise _invalid("schema", "a JSON Schema as a dict, or None", schema)
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size_bytes = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid("schema", "a JSON Schema as a dict that can be written as JSON", schema) from error
    if size_bytes > SCHEMA_MAX_BYTES:
        raise _too_large("schema of a question", "schema", SCHEMA_MAX_BYTES, size_bytes)
    check_schema(json.loads(text))
    return text


def _invalid(field: str, expected: str, got: Any) -> InvalidParameters:
    return InvalidParameters(
        f"the {field} of a question must be {expected}, not {shown(got)}",
        field=field,
        violation="value",
        expected=expected,
        got=shown(got),
    )


def _too_large(what: str, field: str, maximum: int, got: int) -> InvalidParameters:
    return InvalidParameters(
        f"the {what} is too large: {got} bytes; {maximum} are allowed",
        field=field,
        violation="size",
        maximum=maximum,
        got=got,
    )
