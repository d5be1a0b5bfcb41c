"""Answering the questions of running jobs: the one way for commands, protocols and code of the server."""

from __future__ import annotations

import json
from typing import Any

from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.adapter.running import RunningQueue
from mcp_queue_plugin.engine.answers import question_not_found
from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.errors import QuestionNotFound
from mcp_queue_plugin.model.answer_schemas import check_answer
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH, Job, Question
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer, check_answer_size, is_key
from mcp_queue_plugin.model.text import storable


async def answer_question(
    queue: RunningQueue, job_id: str, key: str, value: Any = None, action: AnswerAction = AnswerAction.ACCEPT
) -> Answer:
    """Answer the question ``key`` of a job of the caller's, and return the job's record after the commit.

    ``value`` is any JSON value of at most 64 KiB, for ``accept`` alone. A question that was answered before keeps its
    first answer.

    Raises:
        JobNotFound: there is no such job for the caller.
        QuestionNotFound: no such question is open, or was answered.
        InvalidParameters: the value is no JSON, too large, or not what the question's schema asks for.
    """
    accepted = action is AnswerAction.ACCEPT
    document = encode_document(value, "value") if accepted else b""
    check_answer_size(document)
    queue.check_document(document, "value")
    while True:
        job = (await queue.engine.status(job_id)).job
        if not is_key(key):
            raise question_not_found(job, storable(str(key), JOB_ID_MAX_LENGTH))
        question = _open_question(job, key)
        schema = None if question is None else question.schema
        if accepted and schema is not None:
            check_answer(json.loads(schema), value)
        try:
            return await queue.engine.answer_question(
                job_id, key, GivenAnswer(action, document), schema=schema, with_place=True
            )
        except QuestionNotFound as error:
            # Asked since its record was read, or asked again with another schema: looked at again.
            if key not in error.data["open_keys"]:
                raise


def _open_question(job: Job, key: str) -> Question | None:
    return next((question for question in job.questions if question.key == key), None)
