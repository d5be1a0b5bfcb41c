"""The judge itself: whatever is not kept is found, and nothing else."""

from __future__ import annotations

import pytest

from tests.chaos.harness.book import Run
from tests.chaos.harness.promises import End, Promise, Wish, end_of
from tests.chaos.harness.verdict import broken_promises

COMPLETED = frozenset({"completed"})
DONE = End("completed", 2, "second")
RUNS = [Run("a", 1, "first", 1.0), Run("a", 2, "second", 2.0)]
NONE = End("stopped", 0, None)
TOMBSTONE = End("deleted", 0, None)


def promise(
    job_id: str = "a", *, acknowledged: bool = True, stop: Wish = Wish.NONE, deletion: Wish = Wish.NONE
) -> Promise:
    return Promise(job_id, COMPLETED, acknowledged=acknowledged, stop=stop, deletion=deletion)


@pytest.mark.parametrize(
    ("stop", "deletion", "end"),
    [
        (Wish.NONE, Wish.NONE, DONE),
        (Wish.UNANSWERED, Wish.NONE, DONE),
        (Wish.UNANSWERED, Wish.NONE, NONE),
        (Wish.ACKNOWLEDGED, Wish.NONE, NONE),
        (Wish.ACKNOWLEDGED, Wish.UNANSWERED, TOMBSTONE),
        (Wish.NONE, Wish.UNANSWERED, TOMBSTONE),
        (Wish.NONE, Wish.UNANSWERED, DONE),
        (Wish.ACKNOWLEDGED, Wish.ACKNOWLEDGED, TOMBSTONE),
    ],
)
def test_what_was_promised_is_in_order(stop: Wish, deletion: Wish, end: End) -> None:
    assert broken_promises([promise(stop=stop, deletion=deletion)], {"a": end}, RUNS) == []


@pytest.mark.parametrize(
    ("stop", "deletion", "end"),
    [
        (Wish.NONE, Wish.NONE, NONE),
        (Wish.NONE, Wish.NONE, TOMBSTONE),
        (Wish.NONE, Wish.NONE, End("running", 2, None)),
        (Wish.NONE, Wish.NONE, End("failed", 2, None)),
        (Wish.ACKNOWLEDGED, Wish.NONE, DONE),
        (Wish.ACKNOWLEDGED, Wish.NONE, TOMBSTONE),
        (Wish.NONE, Wish.ACKNOWLEDGED, NONE),
        (Wish.UNANSWERED, Wish.ACKNOWLEDGED, DONE),
    ],
)
def test_another_end_is_found(stop: Wish, deletion: Wish, end: End) -> None:
    (found,) = broken_promises([promise(stop=stop, deletion=deletion)], {"a": end}, RUNS)
    assert found.startswith(f"ended otherwise: a is {end.status} and not ")


def test_a_lost_job_is_found_if_it_was_acknowledged() -> None:
    promises = [promise(), promise("b", acknowledged=False)]
    assert broken_promises(promises, {}, []) == ["lost: a was acknowledged and is not there"]


def test_a_job_that_nobody_has_handed_in_is_found() -> None:
    assert broken_promises([], {"a": DONE}, RUNS) == ["from nowhere: of ['a'] at most 0 were handed in"]
    assert broken_promises([], {"a": DONE}, RUNS, unanswered_calls=1) == []


def test_a_job_that_must_not_be_there_is_found() -> None:
    assert broken_promises([Promise("a", frozenset())], {}, []) == []
    assert broken_promises([Promise("a", frozenset())], {"a": DONE}, RUNS) == [
        "ended otherwise: a is completed and not away"
    ]


def test_an_end_that_changes_is_found() -> None:
    ended = promise()
    ended.end = End("completed", 2, "another")
    (found,) = broken_promises([ended], {"a": DONE}, RUNS)
    assert found.startswith("accepted twice: a had ended as End(status='completed', attempt=2, run='another') and now")
    ended.end = DONE
    assert broken_promises([ended], {"a": DONE}, RUNS) == []
    ended.deletion = Wish.ACKNOWLEDGED
    assert broken_promises([ended], {"a": TOMBSTONE}, RUNS) == []


def test_a_job_that_must_run_once_is_found_to_run_twice() -> None:
    once = promise()
    once.runs_once = True
    assert broken_promises([once], {"a": DONE}, RUNS) == ["ran twice: a in 2 runs"]


def test_a_job_that_runs_after_its_stop_is_found() -> None:
    stopped = promise(stop=Wish.ACKNOWLEDGED)
    stopped.let_go_at = 2.5
    assert broken_promises([stopped], {"a": NONE}, RUNS) == []
    stopped.let_go_at = 1.5
    assert broken_promises([stopped], {"a": NONE}, RUNS) == ["ran on: a began again after it was answered to be over"]


@pytest.mark.parametrize(
    ("end", "complaint"),
    [
        (End("completed", 1, "first"), "accepted in the wrong attempt: a completed in attempt 1 of 2"),
        (End("completed", 3, "third"), "accepted in the wrong attempt: a completed in attempt 3 of 2"),
        (End("completed", 2, "first"), "made up: a has the result of first, which is no run of its attempt 2"),
        (End("completed", 2, None), "made up: a has the result of None, which is no run of its attempt 2"),
    ],
)
def test_a_result_of_another_run_is_found(end: End, complaint: str) -> None:
    assert broken_promises([promise()], {"a": end}, RUNS) == [complaint]


def test_a_job_that_completed_without_a_run_is_found() -> None:
    assert broken_promises([promise()], {"a": DONE}, []) == [
        "accepted in the wrong attempt: a completed in attempt 2 of 0"
    ]


def test_a_record_shows_its_end_or_that_there_is_none() -> None:
    result = {"result": {"success": True, "data": {"run": "first"}}}
    assert end_of({"status": "completed", "attempt": 1, "result": result}) == End("completed", 1, "first")
    assert end_of({"status": "failed", "attempt": 2, "result": {}}) == End("failed", 2, None)
    assert end_of({"status": "running", "attempt": 2, "result": {}}) is None
