"""What the jobs of the engine's tests do, in real workers. Each takes one JSON value."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Changes, EndingKind
from mcp_queue_plugin.workers.protocol import Kind, Progress, Result, encode
from tests.unit.workers.mischief import leave_daemon, write_to_sockets

TICK_SECONDS = 0.005


def echo(value: Any) -> Any:
    return value


def pid(_: None) -> int:
    return os.getpid()


def nap(seconds: float) -> None:
    time.sleep(seconds)


def fail(message: str) -> None:
    raise ValueError(message)


def hold(path: str) -> None:
    """Work until the file exists, deaf to everything else."""
    current_job().set_description("holding")
    hold_silently(path)


def hold_silently(path: str) -> None:
    """The same, without a word."""
    while not Path(path).exists():
        time.sleep(TICK_SECONDS)


def hold_then_print(path: str) -> None:
    """Work until the file exists, then say so."""
    hold(path)
    print("released")


def obey(path: str) -> str:
    """Work until asked to stop, then leave a note."""
    while not current_job().should_stop():
        time.sleep(TICK_SECONDS)
    Path(path).write_text("stopped in order")
    return "partial"


def append(path: str) -> None:
    """Leave a line for every run."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")


def append_and_hold(path: str) -> None:
    append(path)
    time.sleep(3600)


def die(_: None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(path: str) -> str:
    """Die at the first run."""
    if not Path(path).exists():
        Path(path).touch()
        die(None)
    return "second run"


def chat(lines: int) -> None:
    for number in range(lines):
        print(f"out {number}")
        print(f"err {number}", file=sys.stderr)
    current_job().set_progress(40)
    current_job().set_step("chatting")
    current_job().set_description("said it all")


def fail_until(path_and_runs: tuple[str, int]) -> int:
    """Leave a line for every run, and fail until there are so many."""
    path, runs = path_and_runs
    append(path)
    begun = len(Path(path).read_text().splitlines())
    if begun < runs:
        raise ValueError(f"run {begun} of {runs}")
    return begun


def deaf(path: str) -> None:
    """Leave a line for every run, and work until the file exists, deaf to SIGTERM too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    append(f"{path}.runs")
    hold(path)


async def wait_async(_: Any) -> None:
    await asyncio.sleep(3600)


def tick(path: str) -> None:
    """Report something new all the time, until the file exists."""
    number = 0
    while not Path(path).exists():
        number += 1
        current_job().set_description(f"tick {number}")
        print(f"tick {number}")
        time.sleep(0.02)


def start_daemon_and_wait(_: None) -> None:
    """Start a daemon in a session of its own, say its pid, and wait for ever."""
    current_job().set_step(str(leave_daemon(None)))
    time.sleep(3600)


def die_then_speak_for_the_dead(paths: dict[str, str]) -> str:
    """Die when ``release`` exists; then run again, and first send what the first attempt might have sent late."""
    job = current_job()
    append(paths["runs"])
    if job.attempt == 1:
        hold(paths["release"])
        os._exit(3)
    first = Token(uid=1, attempt=1)
    late = [
        encode(Kind.PROGRESS, Progress(first, Changes(progress=99, step="late"))),
        encode(Kind.RESULT, Result(token=first, kind=EndingKind.COMPLETED, has_result=True), b'"late"'),
    ]
    write_to_sockets(b"".join(late))
    return "second"
