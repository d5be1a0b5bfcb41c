"""Bringing a lost engine back."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from mcp_queue_plugin.errors import EngineNotRunning, EngineStartFailed, QueueError

STABLE_SECONDS = 5.0
"""An engine that is lost sooner after it was brought back is not brought back at once."""

LOOP_CHECK_SECONDS = 1.0
"""How often who waits on one loop looks whether the loop of the tries still runs: nobody tells when a loop ends."""

FIRST_PAUSE_SECONDS = 0.5
PAUSE_MAX_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Revival:
    """Tries until it succeeds: at once, then after pauses that double. Who calls during a try waits for its outcome."""

    def __init__(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Bring the engine back by ``attempt``, which raises a QueueError if it cannot."""
        self._attempt = attempt
        self._outcome: Future[None] | None = None
        """Of the try under way."""
        self._failure: QueueError | None = None
        """Why the last try failed, if it did."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._revived_at = -STABLE_SECONDS
        self._pause_seconds = 0.0

    @property
    def active(self) -> bool:
        """Whether the engine is to come back."""
        return self._task is not None

    def begin(self) -> None:
        """Start to try, on the running loop; while that goes on, a further loss is no more than a try that fails."""
        if self.active:
            return
        if time.monotonic() - self._revived_at < STABLE_SECONDS:
            self._lengthen_pause()
            self._failure = EngineNotRunning(
                f"the queue's engine was lost again; it is started again in {self._pause_seconds:g} s"
            )
        else:
            self._pause_seconds = 0.0
        self._run_on(asyncio.get_running_loop())

    def end(self) -> None:
        """Give it up."""
        task, self._task, self._failure = self._task, None, None
        if task is not None and self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(task.cancel)

    async def wait(self) -> None:
        """Return when the engine is back; callable on any loop.

        Raises:
            QueueError: it could not be brought back, or nobody tries to.
        """
        outcome: Future[None] | None = None
        while True:
            self._move_on()
            outcome = outcome or self._outcome
            if outcome is None:
                raise self._failure or EngineNotRunning()
            # Wrapped anew each time: who does not want to wait any more must not take the outcome from the others.
            done, _ = await asyncio.wait([asyncio.shield(asyncio.wrap_future(outcome))], timeout=LOOP_CHECK_SECONDS)
            if done:
                return done.pop().result()

    def _move_on(self) -> None:
        """Go on with the tries on this loop, if the one they ran on has ended with its part of the application."""
        with self._lock:
            if self._task is not None and self._loop is not None and not self._loop.is_running():
                self._run_on(asyncio.get_running_loop())

    def _run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if self._outcome is None and not self._pause_seconds:
            self._outcome = Future()
        self._task = loop.create_task(self._run(), name="revival")

    async def _run(self) -> None:
        while True:
            if self._pause_seconds:
                await asyncio.sleep(self._pause_seconds)
            outcome = self._outcome = self._outcome or Future()
            try:
                await self._attempt()
            except asyncio.CancelledError:
                if not self.active:
                    outcome.set_exception(EngineNotRunning())
                # Otherwise its loop ends: whoever waits goes on with it on another.
                raise
            except Exception as error:  # noqa: BLE001 (no reason may make this the last try)
                self._lengthen_pause()
                self._failure, self._outcome = self._told(error), None
                outcome.set_exception(self._failure)
            else:
                self._task, self._failure, self._outcome = None, None, None
                self._revived_at = time.monotonic()
                outcome.set_result(None)
                return

    def _told(self, error: Exception) -> QueueError:
        """What callers hear of a failed try."""
        again = f"it is tried again in {self._pause_seconds:g} s"
        if isinstance(error, QueueError):
            logger.error("The queue's engine could not be started again; %s: %s", again, error)
            return error
        logger.exception("The queue's engine could not be started again; %s", again)
        return EngineStartFailed(f"the queue's engine did not start, {again}: {type(error).__name__}: {error}")

    def _lengthen_pause(self) -> None:
        self._pause_seconds = min(PAUSE_MAX_SECONDS, max(FIRST_PAUSE_SECONDS, self._pause_seconds * 2))
