"""A worker seen from outside: one process, from its start to the last byte it left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from mcp_queue_plugin.clock import Clock
from mcp_queue_plugin.errors import ProtocolViolation, WorkerStartFailed
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending, EndingKind
from mcp_queue_plugin.workers.assignments import Assignments
from mcp_queue_plugin.workers.handle import ProcessHandle
from mcp_queue_plugin.workers.lettinggo import TERMINATE_SECONDS
from mcp_queue_plugin.workers.owner import WorkerOwner, WorkerState
from mcp_queue_plugin.workers.protocol import (
    Asked,
    Broken,
    Frame,
    Kind,
    Progress,
    Ready,
    Result,
    Setup,
    decode,
    encode,
)
from mcp_queue_plugin.workers.spawn import WORKER_COMMAND, describe_exit

RETIRE_SECONDS = 2.0
"""How long a worker that is told to go may take."""

CLOSED_SECONDS = 0.5
"""How long a process may live on after it has closed its control socket."""

_NOTHING = Changes()


class Worker:
    """One worker process. What it has to do is in its ``assignments``."""

    state = WorkerState.STARTING
    jobs_done = 0
    start_seconds = 0.0
    """How long it took until it was ready."""
    failure: WorkerStartFailed | None = None
    """Why it never took a job, once it is gone."""
    crash: str | None = None
    """How it died, if it died unasked."""

    def __init__(
        self,
        setup: Setup,
        owner: WorkerOwner,
        *,
        start_timeout_seconds: float,
        clock: Clock,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        """Start ``command``, with the numbers of its two sockets as last arguments, and send it ``setup``.

        Must be called on the loop's thread, which has to outlive the worker: the kernel ends the worker with it.

        Raises:
            WorkerStartFailed: the process could not be started.

        """
        self._owner = owner
        self._reason: str | None = None
        self._broken: Broken | None = None
        self._loop = asyncio.get_running_loop()
        self.started_at = self.idle_since = self._loop.time()
        """When it was started, and when its last job ended: times of the loop."""
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done as soon as the worker is GONE."""
        self._process = ProcessHandle(
            command,
            clock=clock,
            on_frame=self._on_frame,
            on_lost=self._on_lost,
            on_chunk=self._on_chunk,
            on_death=self._on_death,
        )
        self.assignments = Assignments(self, self._process, owner)
        self._timer = self._loop.call_later(start_timeout_seconds, self._give_up, start_timeout_seconds)
        self._process.send(encode(Kind.INIT, None, msgspec.json.encode(setup)))

    @property
    def pid(self) -> int:
        """The process id, and that of its group and session."""
        return self._process.pid

    @property
    def rss_bytes(self) -> int:
        """The resident memory of its process, as long as it is IDLE or BUSY."""
        return self._process.rss_bytes

    def retire(self) -> None:
        """Tell the idle worker to go."""
        self.state = WorkerState.LEAVING
        self._process.put(encode(Kind.RETIRE, None))
        self._set_timer(RETIRE_SECONDS, self.kill)

    def kill(self, reason: str | None = None) -> None:
        """End the worker with everything it has started.

        ``reason`` says in words what it did wrong; it then counts as crashed, or as failed if it never took a job. So
        does an attempt that runs, unless it was asked to stop.
        """
        self._reason = self._reason or reason
        if not len(self.assignments):
            self.state = WorkerState.LEAVING
        self._timer.cancel()
        self._process.kill()

    def note_end(self) -> None:
        """Take note that a job has ended."""
        self.jobs_done += 1
        self.idle_since = self._loop.time()

    def _on_frame(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.RESULT:
                self.assignments.on_result(decode(frame.header, Result), frame.payload)
            case Kind.PROGRESS:
                self.assignments.on_progress(decode(frame.header, Progress))
            case Kind.ASK:
                self.assignments.on_asked(decode(frame.header, Asked))
            case Kind.READY if self.state is WorkerState.STARTING:
                self._on_ready(decode(frame.payload, Ready))
            case Kind.BROKEN if self.state is WorkerState.STARTING:
                self._on_broken(decode(frame.payload, Broken))
            case _:
                raise ProtocolViolation(f"a worker sent a frame of kind {frame.kind} while {self.state.name}")

    def _on_ready(self, ready: Ready) -> None:
        if not self._process.dead:
            self._timer.cancel()
            self.state = WorkerState.IDLE
            self.idle_since = self._loop.time()
            self.start_seconds = self.idle_since - self.started_at
            self._owner.worker_ready(self, ready)

    def _give_up(self, start_timeout_seconds: float) -> None:
        self._reason = f"was not ready within {start_timeout_seconds:g} s"
        self.state = WorkerState.LEAVING
        # It then shows where it hangs: a slow disk, or a module that waits while it is imported.
        self._process.terminate()
        self._set_timer(TERMINATE_SECONDS, self.kill)

    def _on_broken(self, broken: Broken) -> None:
        self._broken = broken
        self._reason = f"could not be set up: {broken.error}"
        self.state = WorkerState.LEAVING
        self._set_timer(RETIRE_SECONDS, self.kill)

    def _on_chunk(self, chunk: LogChunk) -> None:
        self.assignments.on_chunk(chunk)

    def _on_lost(self, violation: ProtocolViolation | None) -> None:
        if self._process.dead:
            return
        if violation is not None:
            self.kill(violation.message)
        elif not self.assignments.asked_to_stop and self.state is not WorkerState.LEAVING:
            # Most likely it is about to end: how, says its exit better than we could.
            self._set_timer(CLOSED_SECONDS, lambda: self.kill("closed its control socket"))

    def _set_timer(self, seconds: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback)

    def _on_death(self, returncode: int) -> None:
        self._timer.cancel()
        self._account_for_death(returncode)
        self.state = WorkerState.GONE
        self._owner.worker_gone(self)
        self.gone.set_result(None)

    def _account_for_death(self, returncode: int) -> None:
        assignments = self.assignments
        assignments.on_death()
        if assignments.asked_to_stop:
            assignments.end(Ending(kind=EndingKind.STOPPED), _NOTHING, fit=False)
            if not len(assignments):
                return
        if self.state is WorkerState.LEAVING and self._reason is None:
            return
        text = f"the worker (pid {self.pid}) {self._reason or describe_exit(returncode)}"
        tail = self._process.error_tail
        while len(assignments):
            # More than one only if what it sent could not be read to its end.
            error = ErrorInfo(type="WorkerCrashed", message=text, traceback_tail=tail or None)
            assignments.end(Ending(kind=EndingKind.CRASHED, error=error), _NOTHING, fit=False)
        if self.jobs_done:
            self.crash = text
        else:
            traceback = None if self._broken is None else self._broken.traceback
            self.failure = WorkerStartFailed(text, traceback=traceback, stderr_tail=tail)
