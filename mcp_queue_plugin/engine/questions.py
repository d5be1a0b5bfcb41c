"""The questions of running attempts, from the worker to the store, and their answers back."""

from __future__ import annotations

from collections.abc import Callable

from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.operations import AnswerQuestion, Applied, Ask, Changes, Operation, Outcome, OutcomeCallback
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.model.states import RUNNING_STATES


class Questions:
    """Hands on what is asked and answered; who has asked learns an answer after its commit, and never before."""

    def __init__(
        self,
        submit: Callable[[Operation, OutcomeCallback | None], None],
        tell: Callable[[Token, str, GivenAnswer], None],
    ) -> None:
        """Commit through ``submit``; ``tell`` passes an answer on to the worker of an attempt, if that runs."""
        self._submit = submit
        self._tell = tell

    def ask(self, token: Token, question: Question, changes: Changes) -> None:
        """Store what an attempt asks, with what it has reported before; what is answered already, it is told."""

        def on_outcome(outcome: Outcome | QueueError) -> None:
            if isinstance(outcome, Applied) and outcome.answer is not None:
                self._tell(token, question.key, outcome.answer)

        self._submit(Ask(token=token, question=question, changes=changes), on_outcome)

    def answer(self, operation: AnswerQuestion, callback: OutcomeCallback) -> None:
        """Store an answer; a running attempt is told before ``callback`` gets the outcome."""

        def on_outcome(outcome: Outcome | QueueError) -> None:
            if isinstance(outcome, Applied) and outcome.answer is not None and outcome.job.state in RUNNING_STATES:
                # Who has not asked it yet, or has been told, passes it over.
                self._tell(outcome.job.token, operation.key, outcome.answer)
            callback(outcome)

        self._submit(operation, on_outcome)
