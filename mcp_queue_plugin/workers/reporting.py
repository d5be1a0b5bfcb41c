"""What a running attempt reports of itself: merged, throttled, and never losing the last value."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import SimpleQueue

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.model.operations import Changes, merged
from mcp_queue_plugin.workers.control import Control
from mcp_queue_plugin.workers.protocol import Kind, Progress, encode

INTERVAL_SECONDS = 0.05
"""The shortest time between two PROGRESS frames of an attempt."""

_NOTHING = Changes()


class LateReports:
    """A daemon thread, started by the first report that has to wait, which sends such reports when they are due."""

    def __init__(self) -> None:
        """No thread yet: most jobs never report quickly."""
        self._due: SimpleQueue[tuple[float, AttemptReporter]] = SimpleQueue()
        self._started = False

    def schedule(self, reporter: AttemptReporter, seconds: float) -> None:
        """Flush ``reporter`` in ``seconds``."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="late-reports", daemon=True).start()
        self._due.put((time.monotonic() + seconds, reporter))

    def _run(self) -> None:
        while True:
            due, reporter = self._due.get()
            time.sleep(max(0.0, due - time.monotonic()))
            reporter.flush()


class AttemptReporter:
    """The ``Reporter`` of one attempt; once it is closed nothing is reported any more. Methods work in any thread."""

    def __init__(self, token: Token, control: Control, late_reports: LateReports) -> None:
        """Speak for the attempt of ``token``."""
        self._token = token
        self._control = control
        self._late_reports = late_reports
        self._lock = threading.Lock()
        self._known = _NOTHING
        self._pending = _NOTHING
        self._sent_at = float("-inf")
        self._closed = False

    def report(self, changes: Changes) -> None:
        """Send ``changes`` now, or merged with later ones 50 ms after the last; equal values are not sent again."""
        if self._control.forked:
            return
        with self._lock:
            fresh = _without(changes, self._known)
            if self._closed or fresh == _NOTHING:
                return
            waits_already = self._pending != _NOTHING
            self._known = merged(self._known, fresh)
            self._pending = merged(self._pending, fresh)
            wait = self._sent_at + INTERVAL_SECONDS - time.monotonic()
            if wait <= 0:
                self._send()
            elif not waits_already:
                self._late_reports.schedule(self, wait)

    def stop_requested(self) -> bool:
        """Whether a stop has arrived by now; always so for what outlives its attempt."""
        return self._closed or self._control.stop_requested(self._token)

    def flush(self) -> None:
        """Send what is pending, unless the attempt has ended."""
        with self._lock:
            if not self._closed and self._pending != _NOTHING:
                self._send()

    def close(self) -> Changes:
        """End the reports; answers what was not sent yet."""
        with self._lock:
            self._closed = True
            return self._pending

    def _send(self) -> None:
        self._sent_at = time.monotonic()
        pending, self._pending = self._pending, _NOTHING
        # A job is not to fail because nobody listens any more; its worker is about to be ended then.
        with suppress(OSError):
            self._control.send(encode(Kind.PROGRESS, Progress(self._token, pending)))


def _without(changes: Changes, known: Changes) -> Changes:
    return Changes(
        progress=None if changes.progress == known.progress else changes.progress,
        description=None if changes.description == known.description else changes.description,
        step=None if changes.step == known.step else changes.step,
    )
