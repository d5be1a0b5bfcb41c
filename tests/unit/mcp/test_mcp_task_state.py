"""A job's record as a task."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from mcp_queue_plugin.engine.values import Answer
from mcp_queue_plugin.mcp.task_state import TaskTerms, status_message, task_status
from mcp_queue_plugin.model.estimate import Place
from mcp_queue_plugin.model.job import ErrorInfo, Job, Question
from mcp_queue_plugin.model.states import ENDED_STATES, State
from tests.unit.model.jobs import job_in

TERMS = TaskTerms(retention_seconds=60.0, max_output_bytes=1024)
NOW = 1_000.0
STATUSES = {
    State.CREATED: "working",
    State.SCHEDULED: "working",
    State.QUEUED: "working",
    State.WORKING: "working",
    State.STOPPING: "working",
    State.INPUT_REQUIRED: "input_required",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.STOPPED: "cancelled",
    State.DELETED: "cancelled",
}


def changed(job: Job, **fields: Any) -> Job:
    return msgspec.structs.replace(job, **fields)


def failed(error_type: str) -> Job:
    return changed(job_in(State.FAILED), error=ErrorInfo(type=error_type, message="it broke", code=-5))


@pytest.mark.parametrize("state", State)
def test_every_state_is_a_status_and_tells_what_belongs_to_it(state: State) -> None:
    job = changed(
        job_in(state), created_at=NOW - 10, changed_at=NOW - 1, completed_at=NOW if state in ENDED_STATES else None
    )
    task = TERMS.detailed(Answer(job), NOW)
    assert (task["taskId"], task["status"]) == (job.job_id, STATUSES[state])
    told = {"completed": {"result"}, "failed": {"error"}, "input_required": {"inputRequests"}}.get(
        task["status"], set()
    )
    assert task.keys() & {"result", "error", "inputRequests"} == told
    assert task["ttlMs"] == (70_000 if state in ENDED_STATES else None)
    assert task["pollIntervalMs"] > 0
    assert (task["createdAt"], task["lastUpdatedAt"]) == ("1970-01-01T00:16:30.000Z", "1970-01-01T00:16:39.000Z")


def test_who_creates_a_task_is_told_no_outcome() -> None:
    created = TERMS.created(Answer(job_in(State.COMPLETED), b"null"), NOW)
    assert created["resultType"] == "task"
    assert not created.keys() & {"result", "error", "inputRequests"}


def test_what_is_kept_for_ever_has_no_end() -> None:
    job = changed(job_in(State.COMPLETED), completed_at=NOW)
    assert TaskTerms(0.0, 1024).detailed(Answer(job), NOW)["ttlMs"] is None


@pytest.mark.parametrize(
    ("error_type", "status"),
    [
        ("ValueError", "completed"),
        ("JobTimeout", "completed"),
        ("ResultTooLarge", "completed"),
        ("WorkerCrashed", "failed"),
        ("CommandUnknown", "failed"),
    ],
)
def test_only_what_is_no_answer_of_the_tool_has_failed(error_type: str, status: str) -> None:
    task = TERMS.detailed(Answer(failed(error_type)), NOW)
    assert (task_status(failed(error_type)), task["status"]) == (status, status)
    if status == "failed":
        assert task["error"] == {"code": -32603, "message": "it broke"}
    else:
        assert task["result"]["isError"]
        assert "it broke" in task["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("command", "document", "data"),
    [
        ("add", {"job_id": "a", "command": "add", "result": {"success": True, "data": {"sum": 3}}}, {"sum": 3}),
        (None, {"result": 5}, {"result": 5}),
        (None, [1, 2], {"result": [1, 2]}),
        (None, {"error": 0.03, "rows": 5}, {"error": 0.03, "rows": 5}),
        (None, {"data": [1], "success": True, "n": 1}, {"data": [1], "success": True, "n": 1}),
        ("add", None, {"result": None}),
    ],
)
def test_the_result_is_what_the_command_itself_has_answered(command: str | None, document: Any, data: Any) -> None:
    job = changed(job_in(State.COMPLETED), command=command)
    answer = Answer(job, None if document is None else json.dumps(document).encode())
    assert TERMS.detailed(answer, NOW)["result"]["structuredContent"] == data


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(changed(job_in(State.WORKING), progress=40, description="sorting")), "40 %: sorting"),
        (
            Answer(changed(job_in(State.WORKING), progress=20, started_at=NOW - 5, command=None)),
            "20 %, about 20 s left",
        ),
        (Answer(changed(job_in(State.WORKING), progress=99, started_at=NOW - 1, command=None)), "99 %, about 1 s left"),
        (Answer(changed(job_in(State.WORKING), progress=40, command=None)), "40 %"),
        (Answer(changed(job_in(State.STOPPED), reason="enough")), "enough"),
        (Answer(changed(job_in(State.QUEUED), description="")), "waits for a worker"),
        (
            Answer(changed(job_in(State.QUEUED), description=""), place=Place(position=3, estimated_wait_seconds=20.0)),
            "waits at position 3 of its queue, about 20 s",
        ),
        (
            Answer(
                changed(job_in(State.QUEUED), description=""),
                place=Place(position=1, estimated_wait_seconds=0.0, is_paused=True),
            ),
            "waits at position 1 of its queue, which is paused",
        ),
        (
            Answer(changed(job_in(State.SCHEDULED), not_before=0.0, description="")),
            "waits until 1970-01-01T00:00:00.000Z",
        ),
    ],
)
def test_the_message_says_where_a_job_stands(answer: Answer, message: str) -> None:
    assert status_message(answer, NOW) == message


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        (
            {"type": "object", "properties": {"n": {"type": "integer"}}},
            {"type": "object", "properties": {"n": {"type": "integer"}}},
        ),
        (
            {"type": "boolean"},
            {"type": "object", "properties": {"answer": {"type": "boolean"}}, "required": ["answer"]},
        ),
        (None, {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}),
    ],
)
def test_a_question_is_a_form(schema: Any, form: Any) -> None:
    asked = Question(key="k", prompt="Which?", schema=None if schema is None else json.dumps(schema), attempt=1)
    task = TERMS.detailed(Answer(changed(job_in(State.INPUT_REQUIRED), questions=(asked,))), NOW)
    params = {"mode": "form", "message": "Which?", "requestedSchema": form}
    assert task["inputRequests"] == {"k": {"method": "elicitation/create", "params": params}}
