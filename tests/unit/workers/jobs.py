"""Well-behaved jobs that the tests run in real workers. Each takes one JSON value."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.model.course import Course


def echo(value: Any) -> Any:
    return value


def report_and_ask(reports: int) -> Any:
    """Report faster than is told, then ask."""
    for number in range(reports):
        current_job().set_progress(number)
    return current_job().ask("k", "?")


def say(text: str) -> None:
    print(text)


def say_and_sleep(text: str) -> None:
    print(text)
    time.sleep(3600)


def say_on_both(text: str) -> None:
    print(f"out {text}", end="")
    print(f"err {text}", end="", file=sys.stderr)


def oom_scores(_: None) -> list[int]:
    """How ready the kernel is to end this process, and one that it has started."""
    path = "/proc/self/oom_score_adj"
    return [int(Path(path).read_text()), int(subprocess.check_output(["/bin/cat", path]))]


def pid(_: None) -> int:
    return os.getpid()


def shout(size: int) -> None:
    sys.stdout.write("x" * size)


def large(size: int) -> str:
    return "y" * size


def read_input(_: None) -> str:
    try:
        return input()
    except EOFError:
        return "EOF"


def facts(_: None) -> dict[str, Any]:
    """What a job can see of what others before it may have changed."""
    return {
        "cwd": str(Path.cwd()),
        "variables": dict(os.environ),
        "environ": type(os.environ).__name__,
        "usr1": signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL,
        "int": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "umask": _umask(),
        "stdout": sys.stdout is sys.__stdout__,
        "descriptors": descriptors(),
    }


def limits(_: None) -> tuple[list[int], int]:
    """How many files it may open, and its niceness."""
    return list(resource.getrlimit(resource.RLIMIT_NOFILE)), os.nice(0)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def descriptors() -> list[str]:
    return [path.name for path in Path("/proc/self/fd").iterdir()]


def print_through_others(_: None) -> None:
    sys.stdout.write("python ")
    sys.stdout.flush()
    ctypes.CDLL(None).printf(b"libc ")
    subprocess.run(["/bin/echo", "-n", "child "], check=True)


def fail(message: str) -> NoReturn:
    raise ValueError(message)


def fail_oddly(_: None) -> NoReturn:
    """With an error whose names no frame can carry."""
    raise type("Odd", (SystemExit,), {"__module__": "no\udc80module"})


def fail_at_length(_: None) -> NoReturn:
    raise ValueError("\0" * 100_000 + "\udc80")


def leave_python(code: int) -> NoReturn:
    sys.exit(code)


def interrupt(_: None) -> NoReturn:
    raise KeyboardInterrupt


def count_up(count: int) -> None:
    for percent in range(count):
        current_job().set_progress(percent)
        current_job().set_description("counting")


def count_slowly(count: int) -> None:
    for percent in range(count):
        current_job().set_progress(percent)
        current_job().set_progress(percent + 50)
        time.sleep(0.2)


def follow_the_clock(seconds: float) -> None:
    current_job().reporter.follow(Course(0.8, 4))
    time.sleep(seconds)


def follow_the_clock_then_report(percent: int) -> None:
    current_job().reporter.follow(Course(0.4, 4))
    time.sleep(0.25)
    current_job().set_progress(percent)
    current_job().reporter.follow(Course(0.4, 4))
    time.sleep(0.5)


def progress_then_wait(seconds: float) -> None:
    current_job().set_progress(1)
    current_job().set_step("second \udc80")
    current_job().set_progress(2)
    time.sleep(seconds)


def work_until_stopped(_: None) -> str:
    current_job().set_step("working")
    while not current_job().should_stop():
        time.sleep(0.001)
    return "stopped in good order"


def end_on_sigterm(_: None) -> str:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    current_job().set_step("working")
    signal.sigwait({signal.SIGTERM})
    return "ended in good order"


def sleep(seconds: float) -> float:
    current_job().set_step("working")
    time.sleep(seconds)
    return seconds


async def nothing_async(value: Any) -> Any:
    return value


async def wait_async(_: None) -> None:
    current_job().set_step("working")
    await asyncio.sleep(3600)


async def wait_async_in_thread(_: None) -> str:
    """The stop is found by a thread, not by the loop's own look."""
    await asyncio.to_thread(work_until_stopped, None)
    await asyncio.sleep(3600)
    return "never"


async def carry_on_async(_: None) -> str:
    current_job().set_step("working")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "finished regardless"
    return "never"


async def cancel_self(_: None) -> None:
    raise asyncio.CancelledError


async def leave_python_async(code: int) -> NoReturn:
    sys.exit(code)


async def use_thread(value: Any) -> Any:
    return await asyncio.to_thread(echo, value)


def run_own_loop(value: Any) -> Any:
    asyncio.get_event_loop_policy().get_event_loop().close()
    return asyncio.run(nothing_async(value))
