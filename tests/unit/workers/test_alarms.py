"""Calls that are made later, by a thread that does nothing else."""

from __future__ import annotations

import threading
import time
from functools import partial

from mcp_queue_plugin.workers.alarms import Alarms
from tests.unit.workers.harness import wait_until


def test_alarms_go_off_when_they_are_due_whatever_their_order() -> None:
    alarms, heard = Alarms(), list[str]()
    began = time.monotonic()
    alarms.set(0.2, partial(heard.append, "late"))
    alarms.set(0.05, partial(heard.append, "soon"))
    alarms.set(3600, partial(heard.append, "never"))
    wait_until(lambda: len(heard) == 2)
    assert heard == ["soon", "late"]
    assert time.monotonic() - began >= 0.2


def test_a_cancelled_alarm_is_silent() -> None:
    alarms, heard = Alarms(), list[str]()
    cancelled = alarms.set(0.02, partial(heard.append, "cancelled"))
    alarms.set(0.05, partial(heard.append, "other"))
    alarms.cancel(cancelled)
    alarms.cancel(cancelled)
    wait_until(lambda: heard)
    assert heard == ["other"]


def test_an_alarm_may_set_the_next() -> None:
    alarms, heard = Alarms(), list[int]()

    def again() -> None:
        heard.append(len(heard))
        if len(heard) < 3:
            alarms.set(0.0, again)

    alarms.set(0.0, again)
    wait_until(lambda: heard == [0, 1, 2])


def test_no_thread_runs_before_the_first_alarm() -> None:
    before = threading.active_count()
    alarms = Alarms()
    assert threading.active_count() == before
    alarms.set(0.0, lambda: None)
    assert threading.active_count() == before + 1
