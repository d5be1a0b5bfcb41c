"""No orphans: how processes die with their parent, and how one is ended with everything it started. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

# psutil is imported where it is used: it takes a tenth of a worker's start, and a worker only needs prctl.
if TYPE_CHECKING:
    import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_ROUND_SECONDS = 0.005
_LAST_ACT_SECONDS = 5.0

MARK = "MCP_QUEUE_MARK"
"""The environment variable by which the processes of one owner of a store are known, wherever they have moved."""


def become_subreaper(active: bool = True) -> None:
    """Make this process inherit the orphans among its descendants (or, with False, no longer).

    What a descendant leaves behind, also a daemon that has called setsid, then becomes a child of this process instead
    of init's, so that it can be found and ended.

    Raises:
        OSError: the kernel refuses.

    """
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(active))


def is_subreaper() -> bool:
    """Whether this process inherits the orphans among its descendants."""
    answer = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)


def die_with_parent(parent_pid: int | None = None) -> None:
    """Have the kernel send SIGKILL to this process when its parent ends.

    The kernel watches the thread that started this process: it must be one that lives as long as the parent does.
    ``parent_pid`` is the parent to live with, by default the present one; when another process has already taken its
    place, this process ends at once.

    Raises:
        OSError: the kernel refuses.

    """
    expected = os.getppid() if parent_pid is None else parent_pid
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != expected:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_tree(pid: int) -> None:
    """Send SIGKILL to a process, to its group and to every descendant, whatever session it has moved to.

    The process is frozen first: then it starts nothing new, and as long as it lives what it has started stays below it
    and can be found. A process that has ended already is fine.
    """
    import psutil

    try:
        with _may_be_gone():
            root = psutil.Process(pid)
            root.suspend()
            _kill_descendants(root)
            root.kill()
    except OSError:
        # No descriptor is free to find its descendants by: they fall to a subreaper, which looks for them again.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    kill_group(pid)


def kill_group(pid: int) -> None:
    """Send SIGKILL to the process group that ``pid`` leads, if there is one and it is not the caller's own."""
    if pid == os.getpgrp():
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_strays(spare: Container[int] = ()) -> bool:
    """Kill every child of this process whose pid is not in ``spare``, with all it started, and reap the dead.

    One round, which does not wait for the killed to end. Answers whether any were found, or may be there: if so,
    another round is due, to reap them and to find what they left to a subreaper.
    """
    import psutil

    try:
        children = psutil.Process().children()
    except OSError:
        # No descriptor is free to look by.
        return True
    found = False
    for child in children:
        if child.pid not in spare:
            found = True
            kill_tree(child.pid)
            with suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)
    return found


def kill_descendants_of_self(spare: Container[int] = ()) -> None:
    """Kill and reap what is below this process until nothing is left; for its last act.

    Children in ``spare`` are left alone, with what they have started. Blocks for the few milliseconds that processes
    take to end, and 5 seconds at most, should the kernel hold one back.
    """
    _repeat(lambda: kill_strays(spare))


def kill_marked(mark: str) -> None:
    """Send SIGKILL to every process that carries ``mark``, until none is left; for what a killed owner has left.

    Found are processes that nobody is the ancestor of any more, but not those that were started without their parent's
    environment. Blocks while they end, and 5 seconds at most.
    """
    _repeat(lambda: _kill_all_marked(mark))


def _repeat(kill: Callable[[], bool]) -> None:
    """Do rounds of ``kill`` until one finds nobody, or the time is over."""
    deadline = time.monotonic() + _LAST_ACT_SECONDS
    while kill() and time.monotonic() < deadline:
        time.sleep(_ROUND_SECONDS)


def _kill_all_marked(mark: str) -> bool:
    import psutil

    found = False
    for process in psutil.process_iter():
        with _may_be_gone():
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found = True
                process.kill()
    return found


def _kill_descendants(root: psutil.Process) -> None:
    # Once SIGKILL has been sent to a process it forks no more, so the rounds end when one finds nobody new.
    killed: set[int] = set()
    while fresh := [process for process in root.children(recursive=True) if process.pid not in killed]:
        for process in fresh:
            killed.add(process.pid)
            with _may_be_gone():
                process.kill()


@contextmanager
def _may_be_gone() -> Iterator[None]:
    import psutil

    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        yield


def _prctl(option: int, argument: object) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
