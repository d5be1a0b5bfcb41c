"""What a running attempt reports of itself: merged, throttled, and never losing the last value."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from mcp_queue_plugin.errors import NotInJob
from mcp_queue_plugin.model.course import Course
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.operations import Changes, merged
from mcp_queue_plugin.model.questions import GivenAnswer
from mcp_queue_plugin.workers.alarms import Alarm, Alarms
from mcp_queue_plugin.workers.asking import Asking
from mcp_queue_plugin.workers.control import Control
from mcp_queue_plugin.workers.protocol import Kind, Progress, encode

INTERVAL_SECONDS = 0.05
"""The shortest time between two PROGRESS frames of an attempt."""

_NOTHING = Changes()


class AttemptReporter:
    """The ``Reporter`` of one attempt; once it is closed nothing is reported any more. Methods work in any thread."""

    def __init__(self, token: Token, control: Control, alarms: Alarms) -> None:
        """Speak for the attempt of ``token``."""
        self._token = token
        self._control = control
        self._alarms = alarms
        self._lock = threading.Lock()
        self._known = _NOTHING
        self._pending = _NOTHING
        self._sent_at = float("-inf")
        self._flush_alarm: Alarm | None = None
        self._course: Course | None = None
        self._began = 0.0
        self._course_alarm: Alarm | None = None
        self._closed = False
        self._asking: Asking | None = None

    def report(self, changes: Changes) -> None:
        """Send ``changes`` now, or merged with later ones 50 ms after the last; equal values are not sent again."""
        if self._control.forked:
            return
        with self._lock:
            if changes.progress is not None:
                self._leave_course()
            self._take(changes)

    def follow(self, course: Course) -> None:
        """Let the progress follow the clock along ``course``, until the attempt reports progress or ends."""
        with self._lock:
            if self._known.progress is None:
                self._course, self._began = course, time.monotonic()
                self._set_course_alarm(course, 0.0)

    def stop_requested(self) -> bool:
        """Whether a stop has arrived by now; always so for what outlives its attempt."""
        return self._closed or self._control.stop_requested(self._token)

    def ask(self, question: Question) -> GivenAnswer:
        """Ask a question and wait for the answer; see ``Asking.ask``."""
        return self._prepare_to_ask().ask(question)

    async def ask_async(self, question: Question) -> GivenAnswer:
        """Ask a question on an event loop; see ``Asking.ask_async``."""
        return await self._prepare_to_ask().ask_async(question)

    def end_questions(self) -> None:
        """Ask nothing any more; threads that still wait for an answer learn that it is over."""
        if self._asking is not None:
            self._asking.close()

    def close(self) -> Changes:
        """End the reports; answers what was not sent yet."""
        with self._lock:
            self._closed = True
            self._leave_course()
            if self._flush_alarm is not None:
                self._alarms.cancel(self._flush_alarm)
            return self._pending

    def _prepare_to_ask(self) -> Asking:
        """What asks; all that was reported before is sent before the question."""
        if self._control.forked:
            raise NotInJob
        with self._lock:
            if self._closed:
                raise NotInJob
            if self._pending != _NOTHING:
                self._send()
            if self._asking is None:
                self._asking = Asking(self._token, self._control)
            return self._asking

    def _take(self, changes: Changes) -> None:
        fresh = _without(changes, self._known)
        if self._closed or fresh == _NOTHING:
            return
        self._known = merged(self._known, fresh)
        self._pending = merged(self._pending, fresh)
        wait = self._sent_at + INTERVAL_SECONDS - time.monotonic()
        if wait <= 0:
            self._send()
        elif self._flush_alarm is None:
            self._flush_alarm = self._alarms.set(wait, self._flush)

    def _flush(self) -> None:
        with self._lock:
            self._flush_alarm = None
            if not self._closed and self._pending != _NOTHING:
                self._send()

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        pending, self._pending = self._pending, _NOTHING
        # A job is not to fail because nobody listens any more; its worker is about to be ended then.
        with suppress(OSError):
            self._control.send(encode(Kind.PROGRESS, Progress(self._token, pending)))

    def _set_course_alarm(self, course: Course, elapsed_seconds: float) -> None:
        wait = course.next_step_seconds(elapsed_seconds)
        self._course_alarm = None if wait is None else self._alarms.set(wait, self._step)

    def _step(self) -> None:
        with self._lock:
            if self._course is not None:
                elapsed_seconds = time.monotonic() - self._began
                self._take(Changes(progress=self._course.percent(elapsed_seconds)))
                self._set_course_alarm(self._course, elapsed_seconds)

    def _leave_course(self) -> None:
        self._course = None
        if self._course_alarm is not None:
            self._alarms.cancel(self._course_alarm)
            self._course_alarm = None


def _without(changes: Changes, known: Changes) -> Changes:
    return Changes(
        progress=None if changes.progress == known.progress else changes.progress,
        description=None if changes.description == known.description else changes.description,
        step=None if changes.step == known.step else changes.step,
    )
