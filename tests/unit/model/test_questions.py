"""What asking and answering does to a job, and what can be a question."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_queue_plugin.errors import InvalidParameters
from mcp_queue_plugin.model import decide, questions
from mcp_queue_plugin.model.job import Job, Question
from mcp_queue_plugin.model.operations import Ask
from mcp_queue_plugin.model.questions import (
    ANSWER_MAX_BYTES,
    AnswerAction,
    GivenAnswer,
    check_answer_size,
    new_question,
    told_question,
)
from mcp_queue_plugin.model.states import RUNNING_STATES, State
from mcp_queue_plugin.model.transitions import TRANSITIONS, Event, allowed_from
from tests.unit.model.jobs import job_in

YES = GivenAnswer(AnswerAction.ACCEPT, b"1")


def question(key: str, attempt: int = 1) -> Question:
    return Question(key=key, prompt="?", attempt=attempt)


def asked(job: Job, key: str = "k") -> Job | None:
    found = decide.ask(Ask(token=job.token, question=question(key)), job, is_answered=False)
    return found if isinstance(found, Job) else None


@pytest.mark.parametrize("state", State)
def test_a_job_asks_where_the_table_says_so(state: State) -> None:
    job = asked(job_in(state))
    assert (job is not None) == (state in allowed_from(Event.ASK)) == (state in RUNNING_STATES)
    if job is not None:
        assert TRANSITIONS[state, Event.ASK] == {job.state}


@pytest.mark.parametrize("state", sorted(allowed_from(Event.ANSWER)))
def test_an_answer_leads_where_the_table_says(state: State) -> None:
    two = (question("a"), question("b"))
    attempt = 1 if state is State.INPUT_REQUIRED else 2
    reached = set()
    for open_ones in (two, two[:1]):
        answered = questions.answer(job_in(state, questions=open_ones, attempt=attempt), "a", YES, None)
        assert answered is not None
        assert (answered.questions, answered.has_answers) == (open_ones[1:], True)
        reached.add(answered.state)
    assert reached == TRANSITIONS[state, Event.ANSWER]


def test_a_question_of_an_earlier_attempt_does_not_hold_the_job_back() -> None:
    job = job_in(State.INPUT_REQUIRED, questions=(question("old"), question("new", 2)), attempt=2)
    answered = questions.answer(job, "new", YES, None)
    assert answered is not None
    assert (answered.state, answered.questions) == (State.WORKING, (question("old"),))


def test_what_is_answered_already_is_not_asked() -> None:
    job = job_in(State.WORKING)
    assert decide.ask(Ask(token=job.token, question=question("k")), job, is_answered=True) == job


def test_a_question_may_be_as_large_as_is_promised() -> None:
    assert new_question("k" * 200, "p" * 4_096, {"enum": ["x" * 8_000]}, 1).key == "k" * 200
    assert new_question("k", "", None, 2) == Question(key="k", prompt="", attempt=2)
    assert new_question("k", "?", {"title": "ü"}, 2).schema == '{"title":"ü"}'


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("", "?", None), "key"),
        ((" ", "?", None), "key"),
        (("k" * 201, "?", None), "key"),
        (("\ud800", "?", None), "key"),
        ((7, "?", None), "key"),
        (("k", 7, None), "prompt"),
        (("k", "p" * 4_097, None), "prompt"),
        (("k", "\ud800", None), "prompt"),
        (("k", "?", True), "schema"),
        (("k", "?", {"a": object()}), "schema"),
        (("k", "?", {"const": float("nan")}), "schema"),
        (("k", "?", {"const": "\ud800"}), "schema"),
        (("k", "?", {"enum": ["x" * 8_192]}), "schema"),
        (("k", "?", {"type": "int"}), "schema.type"),
        (("k", "?", {"properties": {"a": {"pattern": "("}}}), "schema.properties.a.pattern"),
        (("k", "?", {"properties": {"a": {"pattern": "(?=a)b"}}}), "schema.properties.a.pattern"),
        (("k", "?", {"patternProperties": {r"(a)\1": {}}}), r"schema.patternProperties.(a)\1"),
        (("k", "?", {"pattern": r"(\p{L}{1000}){100}"}), "schema.pattern"),
        (("k", "?", {"$schema": []}), "schema.$schema"),
        (("k", "?", {"$ref": "https://example.com/schema"}), "schema"),
        (("k", "?", {"$ref": "#/nowhere"}), "schema"),
    ],
)
def test_what_is_no_question_is_refused_by_its_field(arguments: tuple[Any, Any, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        new_question(*arguments, 1)
    assert refused.value.data["field"] == field


@pytest.mark.parametrize(
    ("key", "schema"), [("k\0", None), ("  ", None), ("k", "[]"), ("k", "{"), ("k", "[" * 100_000), ("k", "null")]
)
def test_a_worker_cannot_have_told_what_is_no_question(key: str, schema: str | None) -> None:
    assert told_question(key, "?", schema, 1) is None
    assert told_question("k", "?", "{}", 1) == Question(key="k", prompt="?", schema="{}", attempt=1)


def test_the_value_of_an_answer_has_a_largest_size() -> None:
    check_answer_size(b"1" * ANSWER_MAX_BYTES)
    with pytest.raises(InvalidParameters) as refused:
        check_answer_size(b"1" * (ANSWER_MAX_BYTES + 1))
    assert refused.value.data == {
        "field": "value",
        "violation": "size",
        "maximum": ANSWER_MAX_BYTES,
        "got": ANSWER_MAX_BYTES + 1,
    }
