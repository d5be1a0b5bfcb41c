"""Jobs that leave things behind, ruin what they share with others, or end their worker."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.errors import NotInJob
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.workers.protocol import PREFIX, Asked, Kind, encode
from tests.unit.workers.jobs import descriptors

NOBODY = 65_534

state: dict[str, Any] = {}


def change_everything(_: None) -> None:
    os.chdir("/")
    os.umask(0)
    os.environ["MCP_QUEUE_TEST_LEFT"] = "1"
    del os.environ["PATH"]
    os.environ = {}  # type: ignore[assignment]  # noqa: B003 (that is the mischief)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    signal.setitimer(signal.ITIMER_REAL, 3600)
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (left open on purpose)
    print("into the void")
    os.dup2(os.open(__file__, os.O_RDONLY), 0)
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def forbid_files(_: None) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    os.nice(1)


def forbid_files_for_good(_: None) -> None:
    """Also for root, who then is nobody and cannot raise the limit again."""
    os.nice(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    if os.getuid() == 0:
        os.setresuid(NOBODY, NOBODY, NOBODY)


class _Unfriendly:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> NoReturn:
        raise RuntimeError("cannot flush")


def replace_streams(_: None) -> None:
    sys.stdout = _Unfriendly()
    sys.stderr.close()


def reconfigure_streams(_: None) -> None:
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(encoding="utf-16", errors="strict", line_buffering=False)


def close_stdout(_: None) -> None:
    os.close(1)
    with suppress(OSError):
        sys.stdout.write("lost")


def close_stdin(_: None) -> None:
    sys.stdin.close()
    os.close(0)


def leave_process(code: int) -> NoReturn:
    print("last words", file=sys.stderr, flush=True)
    os._exit(code)


def kill_self(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(3600)


def become_another_program(_: None) -> None:
    os.execv("/bin/sleep", ["sleep", "3600"])


def close_all_descriptors(_: None) -> None:
    os.closerange(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def close_kept_descriptors(_: None) -> None:
    """Close what the worker keeps high up, but not its socket."""
    os.closerange(100, 1000)


def write_rubbish(_: None) -> None:
    write_to_sockets(b"\xff" * 64)
    time.sleep(3600)


def write_rubbish_and_return(_: None) -> None:
    write_to_sockets(b"\xff" * 64)


def write_half_a_frame_and_return(_: None) -> None:
    write_to_sockets(PREFIX.pack(100_000, 0, Kind.PROGRESS) + b"half")


def write_to_sockets(data: bytes) -> None:
    """Write into every socket of the process; one of them is the worker's own."""
    for name in descriptors():
        with suppress(FileNotFoundError):
            if str(Path(f"/proc/self/fd/{name}").readlink()).startswith("socket:"):
                os.write(int(name), data)


def ask_nonsense(_: None) -> None:
    """Ask, past all checks, with a schema that is none."""
    token = Token(int(current_job().job_id.removeprefix("job-")), 1)
    write_to_sockets(encode(Kind.ASK, Asked(token, "k", "?", "[]")))
    time.sleep(3600)


def ignore_everything(_: None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    current_job().set_step("working")
    time.sleep(3600)


def fork_and_return(_: None) -> str:
    """The child is in no job; what it has of its parent's does nothing."""
    job = current_job()
    child = os.fork()
    if child == 0:
        job.set_progress(99)
        try:
            current_job()
        except NotInJob:
            return "from the child"
        raise AssertionError
    return f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"


def fork_and_exit(code: int) -> str:
    child = os.fork()
    if child == 0:
        sys.exit(code)
    return f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"


def fork_and_fail(_: None) -> str:
    child = os.fork()
    if child == 0:
        raise ValueError("in the child")
    return f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"


def leave_child(_: None) -> int:
    return subprocess.Popen(["/bin/sleep", "3600"]).pid


def leave_ended_child(_: None) -> None:
    state["child"] = subprocess.Popen(["/bin/true"])


def leave_daemon(_: None) -> int:
    """A double-forked daemon in a session of its own, with our pipes still open."""
    receiving, sending = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(sending, str(os.getpid()).encode())
            time.sleep(3600)
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(receiving, 16))


def daemon_then_sleep(_: None) -> None:
    current_job().set_step(str(leave_daemon(None)))
    time.sleep(3600)


def leave_daemon_and_die(path: str) -> None:
    Path(path).write_text(str(leave_daemon(None)))
    os.kill(os.getpid(), signal.SIGKILL)


def leave_thread(_: None) -> None:
    threading.Thread(target=time.sleep, args=(3600,), name="straggler \udc80").start()


def leave_talking_thread(_: None) -> None:
    """A daemon thread that goes on to print, and to speak for whatever job it finds."""

    def talk() -> None:
        while True:
            print("late words")
            current_job().set_progress(77)
            time.sleep(0.001)

    threading.Thread(target=talk, daemon=True, name="talker").start()


def leave_progress_bar(_: None) -> int:
    """tqdm keeps a watcher, a daemon thread, for the rest of the process."""
    for _step in tqdm(range(3)):
        pass
    return os.getpid()


def leave_quick_thread(_: None) -> None:
    threading.Thread(target=time.sleep, args=(0.01,)).start()


def leave_nosy_thread(_: None) -> None:
    """A daemon thread that goes on to report after its job has ended."""
    context = current_job()

    def report() -> None:
        for percent in range(100):
            state["stop"] = context.should_stop()
            context.set_progress(percent)
            time.sleep(0.002)

    threading.Thread(target=report, daemon=True).start()


def stop_seen_by_nosy_thread(_: None) -> bool:
    deadline = time.monotonic() + 5
    while not state["stop"] and time.monotonic() < deadline:
        time.sleep(0.001)
    return bool(state["stop"])


async def leave_task(_: None) -> None:
    async def stray() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            print("stray task cleaned up")
            raise ValueError("on its way out")

    state["task"] = asyncio.create_task(stray())
    await asyncio.sleep(0)


async def leave_stubborn_task(_: None) -> None:
    async def stray() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    state["task"] = asyncio.create_task(stray())
    await asyncio.sleep(0)


async def close_loop(_: None) -> None:
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
    await asyncio.sleep(3600)


def keep_memory(megabytes: int) -> int:
    state["memory"] = bytearray(b"x") * (megabytes << 20)
    return os.getpid()


def stuck_in_c(_: None) -> None:
    """Deaf to SIGTERM, and in a call that runs no Python code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    current_job().set_step("working")
    ctypes.CDLL(None).sleep(3600)


def wait_in_kernel(fifo: str) -> int:
    """Start a program whose input is a FIFO: the kernel lets nothing interrupt us before somebody opens it."""
    current_job().set_step("working")
    opened = (os.POSIX_SPAWN_OPEN, 0, fifo, os.O_RDONLY, 0)
    return os.waitpid(os.posix_spawn("/bin/true", ["true"], {}, file_actions=[opened]), 0)[1]


def set_own_sigterm(_: None) -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)


def fork_with_own_sigterm(_: None) -> int:
    """How a process that we forked off ended, on the signal that we handle ourselves."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    return os.WEXITSTATUS(_fork_and_terminate())


def fork_and_terminate(_: None) -> int:
    """The signal that ended a process that we forked off."""
    return os.WTERMSIG(_fork_and_terminate())


def _fork_and_terminate() -> int:
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sending, b"!")
        time.sleep(3600)
    os.read(receiving, 1)
    os.kill(child, signal.SIGTERM)
    return os.waitpid(child, 0)[1]
