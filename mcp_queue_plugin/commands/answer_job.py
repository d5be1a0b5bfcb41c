"""``queue_answer_job``: answer what a running job asks."""

from __future__ import annotations

from typing import Any, ClassVar

from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.adapter.questions import answer_question
from mcp_queue_plugin.commands.base import CHANGES, JOB_ID, QueueCommand
from mcp_queue_plugin.commands.record import record
from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model.job import JOB_ID_MAX_LENGTH
from mcp_queue_plugin.model.questions import AnswerAction


class QueueAnswerJobCommand(QueueCommand):
    """Answer an open question of a job."""

    name = "queue_answer_job"
    descr = (
        "Answer a question of a job in the phase input_required: its questions stand in its record, each with a key, a "
        "prompt and perhaps a JSON Schema for the value. The first answer to a question stands"
    )
    properties: ClassVar[dict[str, Any]] = {
        "job_id": JOB_ID,
        "key": {
            "type": "string",
            "description": "The question's key",
            "minLength": 1,
            "maxLength": JOB_ID_MAX_LENGTH,
        },
        "value": {
            "description": "The answer: JSON of up to 64 KiB that the question's schema allows; for accept alone"
        },
        "action": {
            "type": "string",
            "description": "Accept (default) answers with the value; decline and cancel end the question without one",
            "enum": [action.value for action in AnswerAction],
        },
    }
    required = ("job_id", "key")
    mcp_annotations: ClassVar[dict[str, Any]] = {**CHANGES, "idempotentHint": True}
    nullable = frozenset({"value"})

    async def answer(self, manager: QueueManagerIntegration, params: dict[str, Any]) -> dict[str, Any]:
        """Store the answer and return the record."""
        job_id, key = params["job_id"], params["key"]
        action = AnswerAction(params.get("action", AnswerAction.ACCEPT))
        if action is AnswerAction.ACCEPT and "value" not in params:
            raise InvalidParameters("value is missing: what to answer", field="value", violation="missing")
        if action is not AnswerAction.ACCEPT and params.get("value") is not None:
            raise InvalidParameters(
                f"value is for action accept alone, not for {action.value}", field="value", violation="value"
            )
        answer = await answer_question(manager, job_id, key, params.get("value"), action)
        return {**record(answer), "message": f"Question {key} of job {job_id} is answered"}
