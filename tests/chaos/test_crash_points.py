"""A process dies at each named point: beside the point stands what must hold afterwards.

Every job has one accepted end, and its record names the attempt whose result it shows. What was acknowledged holds; of
what was not, the table says whether it is done or was never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from mcp_queue_plugin.crash_points import CrashPoint
from tests.chaos.harness.plays import (
    answer_holds,
    answer_is_lost,
    becomes_due,
    command_goes_on,
    deletion_holds,
    deletion_is_lost,
    is_interrupted,
    is_removed,
    question_is_asked_again,
    recovery_is_repeated,
    retry_holds,
    retry_is_lost,
    runs_again,
    start_holds,
    start_is_lost,
    stop_holds,
    stop_is_answered_by_nobody,
    stop_is_lost,
    submission_holds,
    submission_is_lost,
)
from tests.chaos.harness.scene import Scene


class Case(NamedTuple):
    """``holds`` says in words what ``play`` asserts of a death when ``point`` is passed for the ``passes``-th time."""

    point: CrashPoint
    holds: str
    play: Callable[[Scene], None]
    passes: int = 1
    victim: str | None = None
    """Who dies instead of the process that reaches the point."""

    def __str__(self) -> str:
        return f"{self.point}{f' kills the {self.victim}' if self.victim else ''} - {self.holds}"


CASES = (
    Case(CrashPoint.SUBMISSION_WRITTEN, "the job was never there", submission_is_lost),
    Case(CrashPoint.SUBMISSION_COMMITTED, "the job is there and runs, answered or not", submission_holds),
    Case(CrashPoint.ADOPTION_WRITTEN, "the command goes on in the server, and is recorded anew", command_goes_on),
    Case(CrashPoint.ADOPTION_COMMITTED, "the command goes on in the server", command_goes_on),
    Case(CrashPoint.START_WRITTEN, "the job is still only added", start_is_lost),
    Case(CrashPoint.START_COMMITTED, "the job runs", start_holds),
    Case(
        CrashPoint.CLAIM_WRITTEN,
        "the job is still queued; what its worker did counts for nothing",
        partial(runs_again, ended_in=1, begun_in=[[1], [1, 1]]),
    ),
    Case(
        CrashPoint.CLAIM_COMMITTED,
        "the attempt has crashed, and another follows",
        partial(runs_again, ended_in=2, begun_in=[[2], [1, 2]]),
    ),
    Case(CrashPoint.CLAIM_COMMITTED, "what must not run twice is not even begun, and says so", is_interrupted),
    Case(
        CrashPoint.RUN_SENT,
        "the job is still queued; what its worker did counts for nothing",
        partial(runs_again, ended_in=1, begun_in=[[1], [1, 1]]),
    ),
    Case(
        CrashPoint.RESULT_WRITTEN,
        "the attempt has crashed, its result with it, and another follows",
        partial(runs_again, ended_in=2, begun_in=[[1, 2]]),
    ),
    Case(
        CrashPoint.RESULT_COMMITTED,
        "the job has ended, and is not run again",
        partial(runs_again, ended_in=1, begun_in=[[1]]),
    ),
    Case(
        CrashPoint.QUESTION_WRITTEN,
        "the job runs again, and asks; its claim may have been in the same commit",
        partial(question_is_asked_again, begun_in=[[1, 1], [1, 2]]),
    ),
    Case(
        CrashPoint.QUESTION_COMMITTED,
        "the question is open, and the job asks it anew",
        partial(question_is_asked_again, begun_in=[[1, 2]]),
    ),
    Case(CrashPoint.ANSWER_WRITTEN, "the question is open, and may be answered otherwise", answer_is_lost),
    Case(CrashPoint.ANSWER_COMMITTED, "the job finds the answer when it runs again", answer_holds),
    Case(CrashPoint.STOP_WRITTEN, "the job runs again, and can be stopped", stop_is_lost),
    Case(CrashPoint.STOP_COMMITTED, "the job is stopped, and is not run again", stop_holds),
    Case(CrashPoint.DELETION_WRITTEN, "the job runs again, and can be deleted", deletion_is_lost),
    Case(CrashPoint.DELETION_COMMITTED, "the job is deleted, and its id is free", deletion_holds),
    Case(CrashPoint.RETRY_WRITTEN, "the job has failed as before, and can be run again", retry_is_lost),
    Case(CrashPoint.RETRY_COMMITTED, "the job runs again", retry_holds),
    Case(CrashPoint.DUE_WRITTEN, "the job becomes due once more, and runs once", becomes_due),
    Case(CrashPoint.DUE_COMMITTED, "the job runs once", becomes_due),
    Case(CrashPoint.SWEEP_WRITTEN, "the job is removed by the next sweep", is_removed),
    Case(CrashPoint.SWEEP_COMMITTED, "the job is gone", is_removed),
    Case(
        CrashPoint.RECOVERY_WRITTEN,
        "the next start recovers the job",
        partial(recovery_is_repeated, point=CrashPoint.RECOVERY_WRITTEN),
    ),
    Case(
        CrashPoint.RECOVERY_COMMITTED,
        "the next start has nothing to recover",
        partial(recovery_is_repeated, point=CrashPoint.RECOVERY_COMMITTED),
    ),
    Case(
        CrashPoint.JOB_RECEIVED,
        "another worker runs the job",
        partial(runs_again, ended_in=2, begun_in=[[2]]),
    ),
    Case(
        CrashPoint.JOB_RETURNED,
        "another worker runs the job",
        partial(runs_again, ended_in=2, begun_in=[[1, 2]]),
    ),
    Case(
        CrashPoint.RESULT_SENT,
        "the result counts",
        partial(runs_again, ended_in=1, begun_in=[[1]]),
    ),
    Case(CrashPoint.ANSWER_ARRIVED, "the job is there and runs, though nobody was answered", submission_holds),
    Case(CrashPoint.ANSWER_ARRIVED, "the stop holds, though nobody was answered", stop_is_answered_by_nobody, passes=2),
)

KEPT = (
    CrashPoint.SUBMISSION_COMMITTED,
    CrashPoint.CLAIM_COMMITTED,
    CrashPoint.RESULT_COMMITTED,
    CrashPoint.STOP_COMMITTED,
    CrashPoint.DELETION_COMMITTED,
)

WHOEVER_DIES = tuple(
    case._replace(victim=victim)
    for case in CASES
    for victim in ("server", "warden")
    if case.point in KEPT and case.play is not is_interrupted
)
"""What is committed holds also if the engine gets a little further, and ends only because another process has died."""

RECOVERIES = (CrashPoint.RECOVERY_WRITTEN, CrashPoint.RECOVERY_COMMITTED)
"""Every start reaches them: they are armed for the second, which must fail without harm."""

ADOPTIONS = (CrashPoint.ADOPTION_WRITTEN, CrashPoint.ADOPTION_COMMITTED)

SWEEPS = (CrashPoint.SWEEP_WRITTEN, CrashPoint.SWEEP_COMMITTED)


@pytest.fixture
def scene(case: Case, tmp_path: Path) -> Iterator[Scene]:
    """A server that is armed for ``case``."""
    scene = Scene(tmp_path, sweeps=case.point in SWEEPS, hands_over=case.point in ADOPTIONS)
    if case.point not in RECOVERIES:
        scene.arm(case.point, passes=case.passes, victim=case.victim)
    try:
        scene.open()
        yield scene
    finally:
        scene.close()


@pytest.mark.parametrize("case", [*CASES, *WHOEVER_DIES], ids=str)
def test_what_holds_after_a_crash(case: Case, scene: Scene) -> None:
    case.play(scene)
    scene.add("afterwards")
    assert scene.ended("afterwards") == ("completed", 1)


def test_every_point_stands_in_the_table() -> None:
    assert {case.point for case in CASES} == set(CrashPoint)
