"""The questions of a running attempt: asked of the engine, and waited for in whatever thread or loop has asked."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections import Counter
from contextlib import suppress
from typing import Protocol

from mcp_queue_plugin.errors import AskBlocksLoop, InvalidParameters, NotInJob
from mcp_queue_plugin.model.job import Question, Token
from mcp_queue_plugin.model.questions import QUESTIONS_MAX, GivenAnswer
from mcp_queue_plugin.workers.control import Control
from mcp_queue_plugin.workers.jobloop import JobStopped
from mcp_queue_plugin.workers.protocol import Answered, Asked, Kind, encode

Settlement = GivenAnswer | Exception


class _Wait(Protocol):
    """One who waits for an answer."""

    stops: bool
    """Whether a stop of the attempt has to be told; else it comes some other way."""

    def settle(self, settlement: Settlement) -> None:
        """End the wait; in any thread."""
        ...


class Asking:
    """The open questions of one attempt. ``ask`` and ``ask_async`` work in any thread and at the same time.

    Nobody reads the control socket for those who wait: each watches it, and who finds an answer there passes it on.
    """

    def __init__(self, token: Token, control: Control) -> None:
        """Ask for the attempt of ``token``, and hear from ``control`` what comes."""
        self._token = token
        self._control = control
        self._lock = threading.Lock()
        self._waits: dict[str, list[_Wait]] = {}
        """Who waits for the answer to each open question; one stays open when nobody waits any more."""
        self._watching: Counter[asyncio.AbstractEventLoop] = Counter()
        """How many waits there are on each loop that does not watch the control socket anyway."""
        self._closed = False
        control.asking = self

    def ask(self, question: Question) -> GivenAnswer:
        """Ask, and wait for the answer.

        Raises:
            AskBlocksLoop: a loop runs in this thread, and would stand still.
            InvalidParameters: too many questions are open.
            NotInJob: the attempt is over, or this is a process that it has forked.
            JobStopped: the attempt was asked to stop.
        """
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 (the public one raises where there is none)
            raise AskBlocksLoop
        with _BlockingWait() as wait:
            self._begin(question, wait)
            try:
                return wait.outcome(self._control)
            finally:
                self._end(question.key, wait)

    async def ask_async(self, question: Question) -> GivenAnswer:
        """``ask`` on an event loop; on the job's own a stop cancels it like everything else there."""
        loop = asyncio.get_running_loop()
        watch = loop is not self._control.loop
        wait = _LoopWait(loop, stops=watch)
        self._begin(question, wait)
        try:
            if watch:
                self._watch(loop)
            return await wait.future
        finally:
            self._end(question.key, wait)
            if watch:
                self._unwatch(loop)

    def on_answer(self, answered: Answered, value: bytes) -> None:
        """Give the answer to those who wait for it; one of another attempt is dropped."""
        if answered.token == self._token:
            with self._lock:
                for wait in self._waits.pop(answered.key, ()):
                    wait.settle(GivenAnswer(answered.action, value))

    def on_stop(self) -> None:
        """Wake those who wait, if the attempt is to stop, or nobody is left to answer."""
        if self._must_stop():
            self._settle_all(JobStopped, stopped=True)

    def close(self) -> None:
        """The attempt is over: nothing is asked any more, and who still waits learns it."""
        with self._lock:
            self._closed = True
        # A thread may still have to be told of the stop that has ended the attempt.
        self._settle_all(JobStopped if self._must_stop() else NotInJob, stopped=False)
        self._control.asking = None

    def _must_stop(self) -> bool:
        return self._control.closed or self._control.stop_seen(self._token)

    def _begin(self, question: Question, wait: _Wait) -> None:
        with self._lock:
            if self._closed or self._control.forked:
                raise NotInJob
            if self._must_stop():
                raise JobStopped
            if question.key not in self._waits and len(self._waits) >= QUESTIONS_MAX:
                raise InvalidParameters(
                    f"{QUESTIONS_MAX} questions of the job are open: no more may be asked at once",
                    field="key",
                    violation="count",
                    maximum=QUESTIONS_MAX,
                    got=question.key,
                )
            self._waits.setdefault(question.key, []).append(wait)
        # If nobody listens any more, the socket tells so to who waits.
        with suppress(OSError):
            self._control.send(encode(Kind.ASK, Asked(self._token, question.key, question.prompt, question.schema)))

    def _end(self, key: str, wait: _Wait) -> None:
        with self._lock:
            if wait in (waits := self._waits.get(key, [])):
                waits.remove(wait)

    def _settle_all(self, error: type[Exception], *, stopped: bool) -> None:
        with self._lock:
            for waits in self._waits.values():
                for wait in waits:
                    if wait.stops or not stopped:
                        wait.settle(error())

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watching[loop] += 1
        if self._watching[loop] == 1:
            loop.add_reader(self._control.fileno(), self._control.poll)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watching[loop] -= 1
        if not self._watching[loop]:
            del self._watching[loop]
            loop.remove_reader(self._control.fileno())


class _BlockingWait:
    """A thread that waits. Who settles it wakes it up through a descriptor of its own."""

    stops = True

    def __init__(self) -> None:
        self._settlement: Settlement | None = None
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __enter__(self) -> _BlockingWait:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._alarm)

    def settle(self, settlement: Settlement) -> None:
        if self._settlement is None:
            self._settlement = settlement
            os.eventfd_write(self._alarm, 1)

    def outcome(self, control: Control) -> GivenAnswer:
        poller = select.poll()
        poller.register(control.fileno(), select.POLLIN)
        poller.register(self._alarm, select.POLLIN)
        while self._settlement is None:
            poller.poll()
            control.poll()
        if isinstance(self._settlement, Exception):
            raise self._settlement
        return self._settlement


class _LoopWait:
    """A coroutine that waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, stops: bool) -> None:
        self.stops = stops
        self._loop = loop
        self.future: asyncio.Future[GivenAnswer] = loop.create_future()

    def settle(self, settlement: Settlement) -> None:
        # Its loop may have been closed under it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, settlement)

    def _settle(self, settlement: Settlement) -> None:
        if self.future.done():
            return
        if isinstance(settlement, Exception):
            self.future.set_exception(settlement)
        else:
            self.future.set_result(settlement)
