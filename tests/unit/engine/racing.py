"""What the jobs of races do, in real workers: each notes its run, and then is as hard to stop as its name says."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.errors import JobTimeout

TICK_SECONDS = 0.002
FOREVER_SECONDS = 3600.0

Value = dict[str, Any]
"""``runs`` is the file to note the run in, ``seconds`` how long to work before the end."""


def note_run(value: Value) -> None:
    with Path(value["runs"]).open("a") as file:
        file.write(f"{current_job().attempt} {time.monotonic()}\n")
    current_job().set_progress(1)


def work(value: Value) -> str:
    note_run(value)
    time.sleep(value["seconds"])
    return "done"


async def work_async(value: Value) -> str:
    note_run(value)
    await asyncio.sleep(value["seconds"])
    return "done"


def look_for_stop(value: Value) -> str:
    note_run(value)
    while not current_job().should_stop():
        time.sleep(TICK_SECONDS)
    return "looked"


async def wait_async(value: Value) -> None:
    note_run(value)
    await asyncio.sleep(FOREVER_SECONDS)


async def tidy_up_async(value: Value) -> str:
    note_run(value)
    try:
        await asyncio.sleep(FOREVER_SECONDS)
    finally:
        return "tidied up"  # noqa: B012 (it carries on regardless of its cancellation)


def sleep_in_c(value: Value) -> None:
    note_run(value)
    time.sleep(FOREVER_SECONDS)


def deaf_to_signals(value: Value) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    sleep_in_c(value)


def fail(value: Value) -> NoReturn:
    work(value)
    raise ValueError("no luck")


def run_out_of_time(value: Value) -> NoReturn:
    work(value)
    raise JobTimeout


def leave(value: Value) -> NoReturn:
    work(value)
    os._exit(3)


def be_killed(value: Value) -> None:
    work(value)
    os.kill(os.getpid(), signal.SIGKILL)


BRIEF: tuple[Callable[..., Any], ...] = (work, work_async, fail, run_out_of_time, leave, be_killed)
"""These end by themselves."""

ENDLESS: tuple[Callable[..., Any], ...] = (look_for_stop, wait_async, tidy_up_async, sleep_in_c, deaf_to_signals)
"""These have to be stopped."""
