"""How an attempt is made to let go, when it is stopped or its time is over: asked first, then forced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from mcp_queue_plugin.errors import JobTimeout
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import Ending, EndingKind

TERMINATE_SECONDS = 1.0
"""How long a worker has between SIGTERM and SIGKILL."""


class Pressed(Protocol):
    """The worker whose attempt is to let go."""

    def recall(self) -> None:
        """Take back the attempts behind the running one; what it has sent, its end too, is known then."""
        ...

    def ask_to_stop(self, timed_out_after: float | None) -> None:
        """Tell the attempt that it is to let go, because its time is over or, with None, because of a request."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM."""
        ...

    def kill(self) -> None:
        """End the worker with all it has started."""
        ...


class LettingGo:
    """Watches over the attempt that a worker runs. Without a time-out and a stop it does nothing at all."""

    def __init__(self, worker: Pressed) -> None:
        """Press ``worker``, on the running loop."""
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._reset()

    @property
    def asked(self) -> bool:
        """Whether the attempt was asked to let go."""
        return self._force_at is not None

    @property
    def forced(self) -> bool:
        """Whether SIGTERM was sent."""
        return self._forced

    def limit(self, timeout_seconds: float, grace_seconds: float) -> None:
        """Let the attempt run for ``timeout_seconds`` from now, then give it ``grace_seconds`` to let go."""
        self._last_moment = self._loop.time() + timeout_seconds + grace_seconds
        self._set_timer(timeout_seconds, self._time_is_over, timeout_seconds)

    def stop(self, grace_seconds: float) -> None:
        """Ask for the attempt's end by request; after ``grace_seconds`` force it. A later call only hastens it."""
        self._requested = True
        self._press(self._loop.time() + grace_seconds)

    def verdict(self, ending: Ending) -> Ending:
        """What ``ending`` counts as: once the time was over a failure, unless a stop was requested."""
        if self._timed_out_after is None or self._requested:
            return ending
        error = JobTimeout(f"the attempt ran longer than its timeout_seconds of {self._timed_out_after:g}")
        kind = JobTimeout.__name__
        info = ErrorInfo(type=kind, message=error.message, code=error.code)
        return Ending(kind=EndingKind.FAILED, error=info, error_kinds=(kind,))

    def over(self) -> None:
        """The attempt has ended; nothing of it is left for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._reset()

    def _reset(self) -> None:
        self._timed_out_after: float | None = None
        self._requested = False
        self._forced = False
        self._last_moment = float("inf")
        self._force_at: float | None = None

    def _time_is_over(self, timeout_seconds: float) -> None:
        timer = self._timer
        self._worker.recall()
        # Its end may have been on its way, and another attempt have taken its place.
        if self._timer is timer:
            self._timed_out_after = timeout_seconds
            self._press(self._last_moment)

    def _press(self, force_at: float) -> None:
        force_at = min(force_at, self._last_moment)
        if self._force_at is not None and self._force_at <= force_at:
            return
        self._force_at = force_at
        self._worker.ask_to_stop(None if self._requested else self._timed_out_after)
        self._set_timer(force_at - self._loop.time(), self._force)

    def _force(self) -> None:
        self._forced = True
        self._force_at = float("-inf")
        self._worker.terminate()
        self._set_timer(TERMINATE_SECONDS, self._worker.kill)

    def _set_timer(self, seconds: float, callback: Callable[..., object], *arguments: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, callback, *arguments)
