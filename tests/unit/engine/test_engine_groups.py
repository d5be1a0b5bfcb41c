"""Which operations of a group become one."""

from __future__ import annotations

import msgspec
import pytest

from mcp_queue_plugin.engine.groups import Entry, joined
from mcp_queue_plugin.errors import QueueError
from mcp_queue_plugin.model.admission import Limit
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.operations import (
    AnswerQuestion,
    Ask,
    Changes,
    Claim,
    Delete,
    Due,
    Ending,
    EndingKind,
    Finish,
    Operation,
    Outcome,
    Refusal,
    Refused,
    Report,
    Retry,
    SetQueue,
    Start,
    Stop,
    Sweep,
)
from mcp_queue_plugin.model.questions import AnswerAction, GivenAnswer
from tests.contract.samples import add, adopt

TOKEN = Token(uid=1, attempt=1)
OTHER = Token(uid=2, attempt=1)
CLAIM = Claim(TOKEN, begun_at=7.0)
REPORT = Report(token=TOKEN, changes=Changes(progress=5))
ASK = Ask(token=TOKEN, question=Question(key="k", prompt="?", attempt=1))


def end_of(token: Token) -> Finish:
    return Finish(token=token, ending=Ending(kind=EndingKind.COMPLETED, result=b"1"))


END = end_of(TOKEN)
WHOLE = msgspec.structs.replace(END, begun_at=7.0)


def operations_of(*operations: Operation) -> list[Operation]:
    return [entry.operation for entry in joined([Entry(operation, None) for operation in operations])]


def test_the_end_of_an_attempt_stands_for_its_claim_too() -> None:
    assert operations_of(CLAIM, END) == [WHOLE]


def test_ends_keep_their_order_whichever_attempt_began_first() -> None:
    other = Claim(OTHER, begun_at=8.0)
    end_of_other = msgspec.structs.replace(end_of(OTHER), begun_at=8.0)
    assert operations_of(CLAIM, other, end_of(OTHER), END) == [end_of_other, WHOLE]
    assert operations_of(CLAIM, other, end_of(OTHER), REPORT) == [CLAIM, end_of_other, REPORT]


def test_a_new_job_is_no_matter() -> None:
    assert operations_of(CLAIM, add("b"), END) == [add("b"), WHOLE]


@pytest.mark.parametrize(
    "between",
    [
        Start("a"),
        Stop("a"),
        Delete("a"),
        Retry(job_id="a"),
        add("b", limits=(Limit(scope="all", max_jobs=1),)),
        adopt("b"),
        AnswerQuestion(job_id="a", key="k", answer=GivenAnswer(AnswerAction.DECLINE, b"")),
        SetQueue("default", paused=True),
        Due(9),
        Sweep(tombstones=False, age_seconds=1.0, limit=9),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_was_asked_for_in_between_finds_the_job_running(between: Operation) -> None:
    assert operations_of(CLAIM, between, END) == [CLAIM, between, END]


def test_an_end_stands_for_one_claim() -> None:
    assert operations_of(CLAIM, END, END) == [WHOLE, END]


@pytest.mark.parametrize("between", [REPORT, ASK], ids=["report", "question"])
def test_what_an_attempt_has_written_in_between_needs_the_claim(between: Operation) -> None:
    assert operations_of(CLAIM, between, END) == [CLAIM, between, END]


def test_an_end_whose_claim_was_in_an_earlier_group_stays_as_it_is() -> None:
    assert operations_of(END) == [END]


def test_a_claim_that_has_to_be_committed_first_stays_a_claim() -> None:
    assert operations_of(Claim(TOKEN), END) == [Claim(TOKEN), END]


def test_both_are_told_the_outcome_the_claim_first() -> None:
    told: list[tuple[str, Outcome | QueueError]] = []
    (entry,) = joined(
        [
            Entry(CLAIM, lambda outcome: told.append(("claim", outcome))),
            Entry(END, lambda outcome: told.append(("end", outcome))),
        ]
    )
    outcome = Refused(Refusal.STALE_TOKEN)
    assert entry.callback is not None
    entry.callback(outcome)
    assert told == [("claim", outcome), ("end", outcome)]


def test_who_does_not_want_to_know_is_not_told() -> None:
    told: list[Outcome | QueueError] = []
    (entry,) = joined([Entry(CLAIM, None), Entry(END, told.append)])
    outcome = Refused(Refusal.STALE_TOKEN)
    assert entry.callback is not None
    entry.callback(outcome)
    assert told == [outcome]
