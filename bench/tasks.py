"""The work that every system is given: the same plain functions for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

SPIN_SECONDS = 0.01


class Call(NamedTuple):
    """One job: which task, and its arguments."""

    task: str
    arguments: dict[str, Any]


def noop() -> dict[str, Any]:
    """Do nothing."""
    return {}


def spin() -> dict[str, Any]:
    """Compute for 10 ms of this thread's CPU time."""
    end = time.thread_time() + SPIN_SECONDS
    while time.thread_time() < end:
        pass
    return {}


def echo(data: str) -> dict[str, Any]:
    """Answer what was given."""
    return {"data": data}


TASKS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (noop, spin, echo)}
NOOP = Call("noop", {})
SPIN = Call("spin", {})
