"""What a job's own code sees of the queue: ``current_job()``."""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Any, Protocol

from mcp_queue_plugin.errors import InvalidParameters, NotInJob, QuestionDeclined
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import DESCRIPTION_MAX_LENGTH, Question
from mcp_queue_plugin.model.operations import Changes
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer, new_question
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.words import shown


class Reporter(Protocol):
    """The worker's side of a running attempt."""

    def report(self, changes: Changes) -> None:
        """Send ``changes`` on; quick calls may be merged, the last value of a field is never lost."""
        ...

    def follow(self, course: Course) -> None:
        """Let the progress follow the clock along ``course``, until the attempt reports progress or ends."""
        ...

    def stop_requested(self) -> bool:
        """Whether a stop has arrived by now."""
        ...

    def ask(self, question: Question) -> GivenAnswer:
        """Ask a question and wait for the answer."""
        ...

    async def ask_async(self, question: Question) -> GivenAnswer:
        """The same on an event loop."""
        ...


class JobContext:
    """One running attempt of a job, as its code sees it. All methods may be called from any thread.

    In a process that the job has forked off they do nothing, but for ``log``; questions raise NotInJob there.
    """

    def __init__(self, job_id: str, attempt: int, reporter: Reporter) -> None:
        """Speak for attempt ``attempt`` of ``job_id`` through ``reporter``."""
        self.job_id = job_id
        self.attempt = attempt
        self.reporter = reporter

    def set_progress(self, percent: float) -> None:
        """Report the progress in percent; values below 0 or above 100 are clamped, fractions are cut off.

        Raises:
            InvalidParameters: ``percent`` is no number.

        """
        self.reporter.report(Changes(progress=_whole_percent(percent)))

    def set_description(self, text: str) -> None:
        """Report in words what the job is doing; cut to 1,024 characters."""
        self.reporter.report(Changes(description=storable(str(text), DESCRIPTION_MAX_LENGTH)))

    def set_step(self, code: str) -> None:
        """Report a machine-readable code of the step the job is in; cut to 1,024 characters."""
        self.reporter.report(Changes(step=storable(str(code), DESCRIPTION_MAX_LENGTH)))

    def should_stop(self) -> bool:
        """Whether the job was asked to stop; a job that sees True should return soon."""
        return self.reporter.stop_requested()

    def ask(self, key: str, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """Ask whoever follows the job a question, wait for the answer, and return its value.

        Meanwhile the job is ``running`` in the phase ``input_required``, keeps its worker, and its ``timeout_seconds``
        go on counting. A question that was answered before, also in an earlier attempt, is answered at once: code that
        runs again after a crash finds its answers by their keys.

        Args:
            key: what names the question within the job, 1 to 200 characters.
            prompt: the question in words, at most 4,096 characters.
            schema: the JSON Schema that the answer has to match, at most 8 KiB as JSON, without references to
                elsewhere and with patterns that have no look-around; None lets it be any value.

        Raises:
            InvalidParameters: one of these is not valid, or 16 questions of the job are open.
            QuestionDeclined: it was answered by ``decline`` or ``cancel``.
            AskBlocksLoop: an event loop runs in this thread; use ``ask_async``.
            JobStopped: the job was asked to stop meanwhile.
        """
        question = new_question(key, prompt, schema, self.attempt)
        return _value(question, self.reporter.ask(question))

    async def ask_async(self, key: str, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """``ask`` for code on an event loop, which goes on meanwhile; several questions may be asked at once.

        A stop cancels it, like everything that an asynchronous job awaits.

        Raises:
            InvalidParameters: an argument is not valid, or 16 questions of the job are open.
            QuestionDeclined: it was answered by ``decline`` or ``cancel``.
        """
        question = new_question(key, prompt, schema, self.attempt)
        return _value(question, await self.reporter.ask_async(question))

    def log(self, message: str) -> None:
        """Write a line to the job's log (its standard output)."""
        sys.stdout.write(f"{message}\n")


_current: JobContext | None = None


def current_job() -> JobContext:
    """The job that this code runs in, from any function, coroutine or thread of it.

    Raises:
        NotInJob: the caller does not run inside a job; a process that the job has started, forked or not, does not.

    """
    if _current is None:
        raise NotInJob
    return _current


def enter_job(context: JobContext | None) -> None:
    """Make ``context`` the current job of this process; None when it has ended. For the worker only."""
    global _current
    _current = context


def _value(question: Question, answer: GivenAnswer) -> Any:
    if answer.action is not AnswerAction.ACCEPT:
        words = "declined" if answer.action is AnswerAction.DECLINE else "dismissed"
        raise QuestionDeclined(
            f"the question {question.key!r} was {words}: it has no answer", key=question.key, action=answer.action.value
        )
    return json.loads(answer.value)


def _whole_percent(value: float) -> int:
    try:
        is_number = not math.isnan(value)
    except OverflowError:
        # An integer that no float can hold.
        is_number = True
    except TypeError:
        is_number = False
    if not is_number:
        raise InvalidParameters(
            f"the progress must be a number from 0 to 100, not {shown(value)}", field="progress", got=shown(value)
        )
    return int(max(0, min(100, value)))


# A forked process has its parent's memory, but is not the one whose job this is.
os.register_at_fork(after_in_child=lambda: enter_job(None))
