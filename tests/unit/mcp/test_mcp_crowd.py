"""When the clients that follow tasks are asked to look again, all of them together."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_queue_plugin.mcp.crowd import FORGET_SECONDS, LOOKS_PER_SECOND_MAX, Crowd
from mcp_queue_plugin.model.pace import POLL_MAX_SECONDS

NOW = 1_000.0


def asked(crowd: Crowd, task_id: str, usual: int = 500, now: float = NOW) -> Any:
    task = {"taskId": task_id, "pollIntervalMs": usual}
    told = crowd.looks_at(task, now)
    assert task["pollIntervalMs"] == usual
    return told["pollIntervalMs"]


def of_size(size: int) -> Crowd:
    crowd = Crowd()
    for number in range(size):
        asked(crowd, f"task-{number}")
    return crowd


@pytest.mark.parametrize(("others", "usual", "milliseconds"), [(0, 500, 500), (19, 500, 500), (199, 500, 5000)])
def test_each_looks_as_if_it_were_alone_until_there_are_many(others: int, usual: int, milliseconds: int) -> None:
    assert asked(of_size(others), "mine", usual) == milliseconds


def test_who_looks_seldom_anyway_is_asked_nothing_more() -> None:
    assert asked(of_size(199), "mine", 7300) == 7300


def test_nobody_is_asked_to_wait_longer_than_for_an_old_task() -> None:
    assert asked(of_size(10_000), "mine") == 1000 * POLL_MAX_SECONDS


def test_a_task_counts_once_however_often_somebody_looks() -> None:
    crowd = Crowd()
    assert {asked(crowd, "mine", now=NOW + number / 100) for number in range(1000)} == {500}


def test_an_end_that_was_seen_leaves_room() -> None:
    crowd = of_size(199)
    for number in range(199):
        crowd.sees_the_end_of(f"task-{number}")
    crowd.sees_the_end_of("unknown")
    assert asked(crowd, "mine") == 500


def test_who_looks_no_more_is_forgotten() -> None:
    crowd = of_size(199)
    assert asked(crowd, "task-0", now=NOW + FORGET_SECONDS) == 1000 * 199 / LOOKS_PER_SECOND_MAX
    assert asked(crowd, "mine", now=NOW + FORGET_SECONDS + 0.1) == 500
