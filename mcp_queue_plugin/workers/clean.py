"""What a job must not leave behind: all is put back to how the first job found it, or the worker has to go."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO, cast

from mcp_queue_plugin.workers import stacks
from mcp_queue_plugin.workers.root_logger import RootLogger
from mcp_queue_plugin.workers.threads import Threads, module_of

GRACE_SECONDS = 0.05
"""How long threads and child processes that are about to end may take."""

_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}
_HIGH_DESCRIPTOR = 200
_UNCATCHABLE = {signal.SIGKILL, signal.SIGSTOP}
_SIGNALS = tuple(int(number) for number in signal.valid_signals() - _UNCATCHABLE)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

# signal.getsignal makes an enum of each answer, which for all signals would take longer than everything else here.
_handler_of = cast("Callable[[int], object]", import_module("_signal").getsignal)

# os.environ decodes each name and value when it is compared; its bytes are the same dict as long as nobody writes.
_environment = cast("dict[bytes, bytes]", vars(os.environ)["_data"])

_flush_c: Callable[[None], int] = ctypes.CDLL(None).fflush


class Streams:
    """The standard streams, taken over at the start of the worker: descriptors 0 to 2 and the objects of ``sys``."""

    def __init__(self) -> None:
        """Keep duplicates of the descriptors where a job hardly gets at them, and write lines out as they end.

        So a job's log can be followed while it runs.
        """
        self._descriptors = tuple((_keep(number), number) for number in range(3))
        self._ruined = False
        self._stdin = sys.stdin
        self._stdout, self._stderr = sys.stdout, sys.stderr
        for stream in (self._stdout, self._stderr):
            cast("TextIOWrapper", stream).reconfigure(**_TEXT)

    def flush(self) -> None:
        """Hand everything that was printed over to the kernel, whether Python or C still holds it."""
        for stream, own in ((sys.stdout, self._stdout), (sys.stderr, self._stderr)):
            if stream is not own:
                # It is of the job's making: anything at all may come out of it, and nothing of that concerns us.
                with suppress(Exception):
                    stream.flush()
        try:
            self._stdout.flush()
            self._stderr.flush()
        except (OSError, ValueError):
            # The job has closed a stream, or the descriptor below it.
            self._ruined = True
        _flush_c(None)

    def restore(self) -> None:
        """Put descriptors and objects back.

        Raises:
            OSError: the duplicates are gone.

        """
        for kept, number in self._descriptors:
            os.dup2(kept, number)
        if self._ruined:
            self._ruined = False
            self._stdout, self._stderr = _text_stream(1), _text_stream(2)
        if self._stdin.closed:
            self._stdin = TextIOWrapper(BufferedReader(FileIO(0, closefd=False)))
        for stream in (self._stdout, self._stderr):
            _put_in_order(cast("TextIOWrapper", stream))
        sys.stdin, sys.stdout, sys.stderr = self._stdin, self._stdout, self._stderr

    def unread(self) -> bool:
        """Whether something that was written to the standard streams has not been read at the other end."""
        try:
            return any(_unread_bytes(number) for number in (1, 2))
        except OSError:
            # Not restored, or no pipes: nobody knows then.
            return True


class Surroundings:
    """The rest of what jobs share, as it is when the worker is set up: directory, environment, signals, children."""

    def __init__(self, lasting_threads: Iterable[str] = ()) -> None:
        """Remember the surroundings as they are now; threads of the modules ``lasting_threads`` may join them."""
        self._directory = _move_up(os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._environ = os.environ
        self._variables = dict(_environment)
        self._handlers = _handlers()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._root_logger = RootLogger()
        self._threads = Threads(lasting_threads)
        self._children = _living_children() if _has_children() else {}

    def restore(self) -> None:
        """Put back what can be put back.

        Raises:
            OSError: the directory's descriptor is gone.

        """
        os.fchdir(self._directory)
        os.umask(self._umask)
        self._restore_environment()
        self._restore_signals()
        self._root_logger.restore()

    def leftovers(self) -> str | None:
        """The threads and processes that the job has left behind, in words; those about to end get 50 ms for it."""
        if not _has_children() and not self._threads.strays():
            return None
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in self._threads.strays():
            thread.join(max(0.0, deadline - time.monotonic()))
        while (children := self._stray_children()) and time.monotonic() < deadline:
            time.sleep(0.002)
        left = [f"thread {thread.name} of module {module_of(thread)}" for thread in self._threads.strays()]
        left += [f"process {pid} ({name})" for pid, name in children.items()]
        return f"the job left behind: {', '.join(left)}" if left else None

    def _restore_environment(self) -> None:
        os.environ = self._environ  # noqa: B003 (the same object again, should the job have put another in its place)
        if _environment != self._variables:
            for name in _environment.keys() - self._variables.keys():
                del os.environb[name]
            os.environb.update(self._variables)

    def _restore_signals(self) -> None:
        for timer in _TIMERS:
            signal.setitimer(timer, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        handlers = _handlers()
        if handlers != self._handlers:
            for number, now, before in zip(_SIGNALS, handlers, self._handlers, strict=True):
                # None stands for a handler that C has installed: Python cannot put it back.
                if now is not before and before is not None:
                    signal.signal(number, cast("signal.Handlers", before))
            stacks.show_on_sigterm()

    def _stray_children(self) -> dict[int, str]:
        living = _living_children() if _has_children() else {}
        return {pid: name for pid, name in living.items() if pid not in self._children}


def _handlers() -> tuple[object, ...]:
    return tuple(map(_handler_of, _SIGNALS))


def _has_children() -> bool:
    """Whether a child process lives; those that have ended are reaped."""
    try:
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass
    except ChildProcessError:
        return False
    return True


def _living_children() -> dict[int, str]:
    # Imported here: most workers never need it, and it would take a tenth of their start.
    import psutil

    living = {}
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            living[child.pid] = child.name()
    return living


def _unread_bytes(descriptor: int) -> int:
    # Linux answers this at either end of a pipe (pipe(7), FIONREAD).
    count = bytearray(4)
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return int.from_bytes(count, sys.byteorder)


def _keep(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH_DESCRIPTOR)


def _move_up(descriptor: int) -> int:
    kept = _keep(descriptor)
    os.close(descriptor)
    return kept


def _put_in_order(stream: TextIOWrapper) -> None:
    # Looked at first: it costs a fifteenth of doing it.
    if (stream.encoding, stream.errors, stream.line_buffering) != tuple(_TEXT.values()):
        stream.reconfigure(**_TEXT)


def _text_stream(descriptor: int) -> TextIO:
    return TextIOWrapper(BufferedWriter(FileIO(descriptor, "w", closefd=False)), **_TEXT)
