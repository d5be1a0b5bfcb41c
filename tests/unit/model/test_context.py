"""What job code says through ``current_job()``, as it reaches the worker."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mcp_queue_plugin.context import JobContext, current_job, enter_job
from mcp_queue_plugin.errors import InvalidParameters, NotInJob, QuestionDeclined
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import Question
from mcp_queue_plugin.model.operations import Changes
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from mcp_queue_plugin.words import shown


class Reports:
    """Writes down what is reported."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []
        self.asked: list[Question] = []
        self.answers: list[GivenAnswer] = []

    def report(self, changes: Changes) -> None:
        self.changes.append(changes)

    def follow(self, course: Course) -> None:
        raise NotImplementedError

    def stop_requested(self) -> bool:
        return len(self.changes) > 1

    def ask(self, question: Question) -> GivenAnswer:
        self.asked.append(question)
        return self.answers.pop(0)

    async def ask_async(self, question: Question) -> GivenAnswer:
        return self.ask(question)


@pytest.fixture
def reports() -> Iterator[Reports]:
    reports = Reports()
    enter_job(JobContext("job-1", 3, reports))
    yield reports
    enter_job(None)


@pytest.mark.parametrize(
    ("percent", "reported"),
    [
        (0, 0),
        (33.9, 33),
        (100, 100),
        (-1, 0),
        (101, 100),
        (10**400, 100),
        (-(10**400), 0),
        (float("inf"), 100),
        (float("-inf"), 0),
        (Decimal("12.5"), 12),
        (Fraction(1, 2), 0),
    ],
)
def test_progress_is_a_whole_number_from_0_to_100(reports: Reports, percent: Any, reported: int) -> None:
    current_job().set_progress(percent)
    assert reports.changes == [Changes(progress=reported)]
    assert type(reports.changes[0].progress) is int


@pytest.mark.parametrize("percent", ["50", None, [50], float("nan"), Decimal("nan"), 1j])
def test_progress_that_is_no_number_is_refused_by_name(reports: Reports, percent: Any) -> None:
    with pytest.raises(InvalidParameters, match="the progress must be a number from 0 to 100, not ") as refusal:
        current_job().set_progress(percent)
    assert refusal.value.data == {"field": "progress", "got": shown(percent)}
    assert not reports.changes


def test_texts_are_cut_and_can_be_stored(reports: Reports) -> None:
    current_job().set_description("d" * 1025)
    current_job().set_step("\ud800")
    assert reports.changes == [Changes(description="d" * 1024), Changes(step="\\ud800")]


def test_a_job_knows_itself_and_whether_it_is_to_stop(reports: Reports) -> None:
    job = current_job()
    assert (job.job_id, job.attempt, job.should_stop()) == ("job-1", 3, False)
    job.set_progress(1)
    job.set_progress(2)
    assert job.should_stop()


async def test_an_answer_is_its_value(reports: Reports) -> None:
    reports.answers = [GivenAnswer(AnswerAction.ACCEPT, b'{"a":[1,null]}'), GivenAnswer(AnswerAction.ACCEPT, b"null")]
    assert current_job().ask("k", "Which?", {"type": "object"}) == {"a": [1, None]}
    assert await current_job().ask_async("l", "And?") is None
    first = Question(key="k", prompt="Which?", schema='{"type":"object"}', attempt=3)
    assert reports.asked == [first, Question(key="l", prompt="And?", attempt=3)]


@pytest.mark.parametrize("action", [AnswerAction.DECLINE, AnswerAction.CANCEL])
def test_a_question_that_is_declined_has_no_value(reports: Reports, action: AnswerAction) -> None:
    reports.answers = [GivenAnswer(action)]
    with pytest.raises(QuestionDeclined, match="'k'") as declined:
        current_job().ask("k", "Which?")
    assert (declined.value.key, declined.value.action) == ("k", action.value)
    assert declined.value.details() == {"domain_code": "QUESTION_DECLINED", "key": "k", "action": action.value}


def test_a_line_of_the_log(reports: Reports, capsys: pytest.CaptureFixture[str]) -> None:
    current_job().log("a line")
    assert capsys.readouterr().out == "a line\n"


def test_outside_of_a_job_there_is_none() -> None:
    with pytest.raises(NotInJob, match="works in the code of a running job only"):
        current_job()
