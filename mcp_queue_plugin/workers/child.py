"""The worker: a process that runs one job after another for the engine. It knows no job, only a Runner.

Run as ``python -m mcp_queue_plugin.workers.child CONTROL INBOX``, the numbers of its two sockets.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import NoReturn, Protocol

import msgspec

from mcp_queue_plugin.context import JobContext, enter_job
from mcp_queue_plugin.crash_points import CrashPoint, reach
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import exception_names
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.workers import limits, orphans, stacks
from mcp_queue_plugin.workers.alarms import Alarms
from mcp_queue_plugin.workers.clean import Streams, Surroundings
from mcp_queue_plugin.workers.control import Control
from mcp_queue_plugin.workers.jobloop import JobLoop, JobStopped
from mcp_queue_plugin.workers.limits import ProcessLimits
from mcp_queue_plugin.workers.protocol import Broken, Kind, Ready, Run, Setup, decode, encode
from mcp_queue_plugin.workers.reporting import AttemptReporter
from mcp_queue_plugin.workers.results import AttemptFacts, described, error_info, result_frame, within

__all__ = ["JobLoop", "JobStopped", "Runner", "RunnerFactory", "main"]


class Runner(Protocol):
    """What a worker does with an attempt. The factory that makes it is named by ``Setup.runner``."""

    commands: tuple[str, ...]
    """The commands it knows."""
    failed_imports: dict[str, str]
    """The modules it could not import, each with the traceback."""

    def run(self, call: Run, params: bytes, context: JobContext, loop: JobLoop) -> Ending:
        """Run one attempt to its end. What the job raises becomes part of the answer, and is printed to its stderr."""
        ...


RunnerFactory = Callable[[Setup], Runner]


class _Attempts:
    """The worker once it is set up: runs attempts, and cleans up after each before it tells the result."""

    def __init__(self, control: Control, streams: Streams, runner: Runner, setup: Setup) -> None:
        self._control = control
        self._streams = streams
        self._runner = runner
        self._loop = JobLoop(control)
        self._alarms = Alarms()
        self._result_bytes = setup.result_bytes
        self._surroundings = Surroundings(setup.lasting_threads)
        self._limits = ProcessLimits()
        self._precedence = limits.Precedence()

    def serve(self) -> int:
        """Run what comes until the engine says to go, or is gone. Answers the exit code."""
        fit = True
        while fit and (frame := self._control.next_task()):
            if frame.kind != Kind.RUN:
                break
            call = decode(frame.header, Run)
            self._precedence.wait_for_turn(call.ahead)
            fit = self._run(call, frame.payload)
        if not fit:
            # The engine has been told, and ends this process.
            self._control.wait_until_closed()
        self._loop.close()
        return 0

    def _run(self, call: Run, params: bytes) -> bool:
        """Run one attempt; answers whether this process is fit for another."""
        reach(CrashPoint.JOB_RECEIVED)
        began = time.perf_counter()
        reporter = AttemptReporter(call.token, self._control, self._alarms)
        context = JobContext(call.job_id, call.token.attempt, reporter)
        enter_job(context)
        self._loop.begin(call.token)
        ending = self._ending_of(call, params, context)
        if self._control.forked:
            self._leave_fork(ending)
        reach(CrashPoint.JOB_RETURNED)
        reporter.end_questions()
        dirty = self._clean_up()
        enter_job(None)
        facts = AttemptFacts(dirty, time.perf_counter() - began, self._streams.unread())
        self._control.send(result_frame(call.token, ending, reporter.close(), facts))
        reach(CrashPoint.RESULT_SENT)
        if dirty is not None:
            return False
        if facts.unread:
            self._control.wait_to_proceed()
        return True

    def _ending_of(self, call: Run, params: bytes, context: JobContext) -> Ending:
        try:
            return within(self._runner.run(call, params, context, self._loop), self._result_bytes)
        except JobStopped:
            return Ending(kind=EndingKind.STOPPED)
        except BaseException as error:
            if self._control.forked:
                raise
            kinds = exception_names(type(error))
            return Ending(kind=EndingKind.FAILED, error=error_info(error), error_kinds=kinds)

    def _clean_up(self) -> str | None:
        # The limits first: all that follows may need descriptors and memory.
        limited = self._limits.restore()
        dirty = self._loop.tidy()
        self._streams.flush()
        try:
            self._streams.restore()
            self._surroundings.restore()
        except OSError as error:
            return f"the job closed descriptors of its worker ({error.strerror})"
        return limited or dirty or self._surroundings.leftovers()

    def _leave_fork(self, ending: Ending) -> NoReturn:
        self._streams.flush()
        os._exit(0 if ending.kind is EndingKind.COMPLETED else 1)


def main(control_fd: int, inbox_fd: int) -> int:
    """Serve the engine at the other ends of these sockets; answers the process's exit code."""
    control = Control(socket.socket(fileno=control_fd), socket.socket(fileno=inbox_fd))
    orphans.die_with_parent(control.peer_pid)
    orphans.become_subreaper()
    limits.be_killed_first()
    _set_signals()
    frame = control.next_frame()
    if frame is None:
        return 0
    streams = Streams()
    setup = decode(frame.payload, Setup)
    try:
        runner = _make_runner(setup)
    except BaseException as error:  # noqa: BLE001 (the border to the application's code: any failure is told)
        streams.flush()
        broken = Broken(error=described(error), traceback=storable(traceback.format_exc()))
        control.send(encode(Kind.BROKEN, None, msgspec.json.encode(broken)))
        return 1
    streams.flush()
    ready = Ready(commands=runner.commands, failed_imports=runner.failed_imports)
    control.send(encode(Kind.READY, None, msgspec.json.encode(ready)))
    return _Attempts(control, streams, runner, setup).serve()


def _set_signals() -> None:
    # Not SIG_IGN, which the programs that a job starts would inherit.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stacks.show_on_sigterm()
    stacks.never_in_forks()


def _make_runner(setup: Setup) -> Runner:
    sys.path[:] = [*setup.sys_path, *(path for path in sys.path if path not in setup.sys_path)]
    module, _, qualname = setup.runner.partition(":")
    factory: RunnerFactory = attrgetter(qualname)(import_module(module))
    return factory(setup)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
