"""What hostile jobs do, beside what the workers' own tests know: each is a function of one JSON value."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import EndingKind
from mcp_queue_plugin.workers.protocol import PREFIX, Kind, Result, encode
from tests.unit.workers import mischief
from tests.unit.workers.mischief import write_to_sockets

SECONDS = 3600
MEGABYTE = 1 << 20


class Unspeakable(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> NoReturn:
        raise ValueError("there are no words")


def raise_it(name: str) -> NoReturn:
    kinds: dict[str, type[BaseException]] = {
        "KeyboardInterrupt": KeyboardInterrupt,
        "GeneratorExit": GeneratorExit,
        "CancelledError": asyncio.CancelledError,
        "Unspeakable": Unspeakable,
    }
    raise kinds[name]


def exit_with(code: Any) -> NoReturn:
    sys.exit(code)


def recurse(depth: int) -> int:
    return recurse(depth + 1) + 1


def read_input(_: None) -> str:
    return input("What now? ")


def return_odd(kind: str) -> Any:
    """What JSON cannot say."""
    nested: list[Any] = []
    for _level in range(100_000):
        nested = [nested]
    return {"NaN": float("nan"), "set": {1}, "bytes": b"\0", "deep": nested}[kind]


def access_nothing(_: None) -> None:
    ctypes.string_at(0)


def kill_own_group(_: None) -> None:
    os.killpg(0, signal.SIGKILL)
    time.sleep(SECONDS)


def say_last_words_and_die(_: None) -> None:
    print("last words", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)


def freeze(_: None) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def print_lines(number: int) -> None:
    for line in range(number):
        print(f"line {line}")


def print_giant_line(megabytes: int) -> None:
    for _ in range(megabytes):
        sys.stdout.write("x" * MEGABYTE)


def print_bytes(_: None) -> None:
    """No text in any encoding."""
    os.write(1, bytes(range(256)) * 100)


def print_for_ever(_: None) -> None:
    for line in count():
        print(f"line {line}")


def close_own_pipes(_: None) -> None:
    os.close(1)
    os.close(2)


def delete_own_directory(_: None) -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()


def allocate(_: None) -> NoReturn:
    """Take all the memory there is; it is the job itself that sees to it that there is little."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 200 * MEGABYTE, resource.RLIM_INFINITY))
    hoard = []
    while True:
        hoard.append(bytearray(16 * MEGABYTE))


def square(number: int) -> int:
    return number * number


def use_multiprocessing(method: str) -> list[int]:
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, [1, 2, 3])


def use_process(method: str) -> Any:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=square, args=(2,))
    process.start()
    process.join()
    return process.exitcode


def use_process_pool(method: str) -> list[int]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        return list(pool.map(square, [1, 2, 3]))


def leave_forked_child(_: None) -> None:
    if os.fork() == 0:
        time.sleep(SECONDS)
        os._exit(0)


def leave_child(_: None) -> None:
    mischief.leave_child(None)


def leave_daemon(_: None) -> None:
    mischief.leave_daemon(None)


def leave_daemon_and_die(_: None) -> None:
    mischief.leave_daemon(None)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_unmarked_daemon(_: None) -> None:
    """Nothing in its environment says where it comes from."""
    subprocess.Popen(["/bin/sleep", str(SECONDS)], env={}, start_new_session=True)


def announce_a_gibibyte(_: None) -> None:
    write_to_sockets(PREFIX.pack(1 << 30, 2, Kind.RESULT) + b"{}")
    time.sleep(SECONDS)


def tear_frame(exit_code: int | None) -> None:
    """Send half a frame, and die or, without an exit code, go on as if nothing had happened."""
    write_to_sockets(PREFIX.pack(1_000_000, 2, Kind.RESULT) + b"{}" + b"half")
    if exit_code is not None:
        os._exit(exit_code)


def forge_results(_: None) -> str:
    """Send results in the name of attempts that are not one's own."""
    forged = [Result(token=Token(uid, 3), kind=EndingKind.FAILED, has_result=True) for uid in range(1, 400)]
    write_to_sockets(b"".join(encode(Kind.RESULT, result, b'"forged"') for result in forged))
    return "not forged"
