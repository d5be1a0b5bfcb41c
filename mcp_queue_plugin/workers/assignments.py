"""What is done with the attempts that a worker has been given, from the first to the end of the last."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

import msgspec

from mcp_queue_plugin.errors import ProtocolViolation
from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.log_pieces import LogChunk
from mcp_queue_plugin.model.operations import Changes, Ending
from mcp_queue_plugin.model.questions import GivenAnswer, told_question
from mcp_queue_plugin.words import SHOWN_MAX_LENGTH
from mcp_queue_plugin.workers.attempts import Attempts, Given
from mcp_queue_plugin.workers.handle import ProcessHandle
from mcp_queue_plugin.workers.lettinggo import LettingGo
from mcp_queue_plugin.workers.owner import WorkerOwner, WorkerState
from mcp_queue_plugin.workers.protocol import Answered, Asked, Kind, Progress, Result, Run, Stop, encode

if TYPE_CHECKING:
    from mcp_queue_plugin.workers.process import Worker

HURRY_SECONDS = 0.005
"""How long a job may run while others lie ready behind it."""

logger = logging.getLogger(__name__)


class Assignments:
    """The attempt that a worker runs and, if it has been quick of late, others that lie ready behind it.

    While any lie ready, or did a moment ago, the worker hurries: what it writes is read when an attempt has ended, by
    then the only one that can have written it, and not as it is written.
    """

    def __init__(self, worker: Worker, process: ProcessHandle, owner: WorkerOwner) -> None:
        """Let ``worker`` run attempts in its ``process``, and tell ``owner`` what becomes of them."""
        self._worker = worker
        self._process = process
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._attempts = Attempts()
        self._letting_go = LettingGo(self)
        self._hurries = False
        self._begun_at = 0.0

    def __len__(self) -> int:
        """How many there are, the one that runs included."""
        return len(self._attempts)

    @property
    def token(self) -> Token | None:
        """That of the attempt that runs."""
        running = self._attempts.running
        return None if running is None else running.run.token

    @property
    def job_id(self) -> str | None:
        """The job whose attempt runs."""
        running = self._attempts.running
        return None if running is None else running.run.job_id

    @property
    def asked_to_stop(self) -> bool:
        """Whether the attempt that runs was asked to let go."""
        return self._letting_go.asked

    @property
    def room(self) -> int:
        """How many more attempts may lie ready behind the one that runs."""
        return 0 if self._worker.state is not WorkerState.BUSY or self._letting_go.asked else self._attempts.room

    @property
    def runs_low(self) -> bool:
        """Whether it is time to lay some ready: there is room for as many as there are."""
        return self.room >= len(self._attempts)

    def run(self, run: Run, params: bytes, *, timeout_seconds: float | None, stop_grace_seconds: float) -> None:
        """Give the worker an attempt to run: now if it is idle, or after those it has.

        When it has run for ``timeout_seconds`` it is asked to let go, and ``stop_grace_seconds`` later the worker is
        ended. It then has failed as ``JobTimeout``, whatever it says of itself.

        Raises:
            ProtocolViolation: it does not fit into a frame; nothing has happened.

        """
        ahead = len(self._attempts) > 0
        frame = encode(Kind.RUN, msgspec.structs.replace(run, ahead=True) if ahead else run, params)
        packet = self._process.put_run(run.token, frame)
        self._attempts.add(Given(run, packet, timeout_seconds, stop_grace_seconds))
        self._worker.state = WorkerState.BUSY
        if not ahead:
            self._begin()
        elif not self._hurries:
            self._hurries = True
            self._process.hold_log("hurry", True)

    def recall(self) -> None:
        """Take back the attempts that have not begun, of which the owner is told, but for one that is about to."""
        if len(self._attempts) > 1:
            packets = self._process.take_back()
            if len(packets) == len(self._attempts):
                self._process.put(packets.pop(0))
            self._forget(packets)
        if len(self._attempts) > 1:
            # The worker begins the next only when it has sent the end of the last, which has not been read then.
            self._process.receive()

    def slow_down(self) -> bool:
        """If an attempt takes long, take back those behind it and follow its log; answers whether that is done."""
        if len(self._attempts) and self._loop.time() - self._begun_at < HURRY_SECONDS:
            return False
        self.recall()
        if len(self._attempts) > 1:
            # The end of one was on its way, and others lie ready behind the next.
            return False
        self._hurries = False
        self._process.hold_log("hurry", False)
        return True

    def stop(self, token: Token, grace_seconds: float) -> None:
        """Ask an attempt to let go, and after ``grace_seconds`` end the worker; a later call only hastens it.

        An attempt that has not begun is taken back.
        """
        self.recall()
        if token == self.token:
            self._letting_go.stop(grace_seconds)

    def abandon(self, token: Token) -> None:
        """Kill the worker if it runs this attempt, and report nothing more of it; one not begun is taken back."""
        self.recall()
        if token == self.token:
            self._attempts.end()
            self._letting_go.over()
            self._worker.kill()

    def hold_log(self, token: Token, held: bool) -> None:
        """Leave what the attempt writes unread, if it runs, so that it has to wait; or, with False, read on."""
        if token == self.token:
            self._process.hold_log("backlog", held)

    def answer(self, token: Token, key: str, answer: GivenAnswer) -> None:
        """Tell the attempt, if it runs, what was answered to its question."""
        if token == self.token:
            self._process.send(encode(Kind.ANSWER, Answered(token, key, answer.action), answer.value))

    def ask_to_stop(self, timed_out_after: float | None) -> None:
        """Tell the attempt that runs to let go; of a time-out its log is told first."""
        timed_out = timed_out_after is not None
        if timed_out:
            self._process.add_to_log(
                f"The attempt has run for its timeout_seconds of {timed_out_after:g} and is stopped."
            )
        self._process.send(encode(Kind.STOP, Stop(cast("Token", self.token), timed_out)))

    def terminate(self) -> None:
        """Send SIGTERM to the worker's own process."""
        self._process.terminate()

    def kill(self) -> None:
        """End the worker with everything it has started."""
        self._worker.kill()

    def on_progress(self, progress: Progress) -> None:
        """Tell what an attempt reports of itself."""
        if progress.token == self.token:
            self._owner.worker_progress(progress.token, progress.changes)

    def on_asked(self, asked: Asked) -> None:
        """Tell what an attempt asks."""
        token = asked.token
        question = told_question(asked.key, asked.prompt, asked.schema, token.attempt)
        if question is None:
            raise ProtocolViolation(f"a worker asked what is no question: {asked.key[:SHOWN_MAX_LENGTH]!r}")
        if token == self.token:
            self._owner.worker_asked(token, question)

    def on_chunk(self, chunk: LogChunk) -> None:
        """Tell what the worker has written."""
        token = self.token
        if token is not None:
            self._owner.worker_log(token, chunk)

    def on_result(self, result: Result, payload: bytes) -> None:
        """End the attempt that runs, if it is the one of this result."""
        if result.token != self.token:
            return
        if result.unread:
            self._process.drain_log()
        ending = Ending(
            kind=result.kind,
            result=payload if result.has_result else None,
            error=result.error,
            completed_with_error=result.completed_with_error,
            error_kinds=result.error_kinds,
        )
        if result.dirty is not None:
            pid = self._process.pid
            logger.warning("The worker of job %s (pid %d) is replaced: %s", self.job_id, pid, result.dirty)
        self._attempts.note_pace(result.took_seconds)
        # A SIGTERM that is under way would hit the next job.
        fit = result.dirty is None and not self._letting_go.forced and not self._process.dead
        if fit and result.unread:
            self._process.send(encode(Kind.PROCEED, None))
        self.end(ending, result.changes, fit=fit)
        if not fit and not self._process.dead:
            self._worker.kill()

    def on_death(self) -> None:
        """Take back what the dead worker had not begun; the attempt that it ran, if any, is left to be ended."""
        self._forget(self._process.take_back())
        if not len(self._attempts):
            self._letting_go.over()

    def end(self, ending: Ending, changes: Changes, *, fit: bool) -> None:
        """End the attempt that runs; the worker goes on with the next, if there is one and it is ``fit``."""
        worker, token = self._worker, self._attempts.end()
        ending = self._letting_go.verdict(ending)
        self._letting_go.over()
        worker.note_end()
        self._process.hold_log("backlog", False)
        if not fit and not self._process.dead:
            self._forget(self._process.take_back())
        goes_on = len(self._attempts) > 0
        if not goes_on:
            worker.state = WorkerState.IDLE if fit else WorkerState.LEAVING
        self._owner.worker_ended(worker, token, ending, changes)
        if goes_on:
            self._begin()

    def _begin(self) -> None:
        given = cast("Given", self._attempts.running)
        self._begun_at = self._loop.time()
        self._process.begin_error_tail()
        if given.timeout_seconds is not None:
            self._letting_go.limit(given.timeout_seconds, given.stop_grace_seconds)
        self._owner.worker_began(given.run.token)

    def _forget(self, packets: list[bytes]) -> None:
        first = self.token
        tokens = self._attempts.take_back(packets)
        if tokens:
            self._owner.worker_recalled(tokens)
        if self.token not in {first, None}:
            # The worker was faster by one: what it has begun lay behind what was taken back.
            self._letting_go.over()
            self._begin()
