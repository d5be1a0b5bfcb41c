"""The server's connection to the engine's process, usable from whatever thread and event loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import msgspec

from mcp_queue_plugin.engine import border
from mcp_queue_plugin.engine.border import Verb
from mcp_queue_plugin.engine.channel import Channel
from mcp_queue_plugin.engine.loops import resolve, running_loop
from mcp_queue_plugin.engine.notices import ClientEvents, deliver
from mcp_queue_plugin.engine.process import EngineProcess
from mcp_queue_plugin.engine.revival import Revival
from mcp_queue_plugin.engine.values import EngineOptions
from mcp_queue_plugin.errors import EngineLost, EngineNotRunning, EngineStartFailed, QueueError
from mcp_queue_plugin.store.protocol import Capabilities
from mcp_queue_plugin.workers.protocol import Frame, Setup, decode, encode

REPEATABLE = frozenset({Verb.STATUS, Verb.LOG, Verb.LIST, Verb.HEALTH, Verb.WARM_UP})
"""What is asked once more when an engine is lost before it has answered: it changes nothing."""

CLOSE_EXTRA_SECONDS = 45.0
"""Beyond the time for running jobs: for killing what does not end, for the last commits and for closing the store."""

HOME_CHECK_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Connection:
    """The engine's process and the socket to it. The socket lives on a home loop; other loops and threads pass to it.

    When the home loop is not running any more, the loop of the next call becomes the home: an application may start the
    queue on one loop and go on with another. An engine that is lost is started again, on the same store.
    """

    def __init__(self, events: ClientEvents) -> None:
        """Report to ``events``."""
        self._events = events
        self._process: EngineProcess | None = None
        self._channel: Channel | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._home_lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._in_use = False
        """Opened, and neither lost nor asked to close yet."""
        self._options: EngineOptions | None = None
        self._setup: Setup | None = None
        self._lost: EngineProcess | None = None
        self._revival = Revival(self._revive)
        self._held: list[bytes] = []
        """What was posted while the engine was lost."""

    @property
    def is_open(self) -> bool:
        """Whether the engine is there to be asked, or will be soon."""
        return self._in_use or self._revival.active

    @property
    def pid(self) -> int | None:
        """The process id of the engine's warden; None when there is none."""
        return None if self._process is None else self._process.pid

    async def open(self, options: EngineOptions) -> Capabilities:
        """Start the engine's process and open its store, within ``options.workers.start_timeout_seconds``.

        Raises:
            StoreError: the store cannot be used.
            EngineStartFailed: the process did not come up; the message carries its standard error.
        """
        self._options, self._setup = options, None
        return await self._open(options, takes_over=False, in_process=())

    async def warm_up(self, setup: Setup) -> None:
        """Start workers that are set up by ``setup`` and begin to run jobs."""
        self._setup = setup
        await self.ask(Verb.WARM_UP, partial(_warm_up_request, setup))

    async def close(self, timeout_seconds: float) -> None:
        """End the engine: running jobs get ``timeout_seconds``, then go back to the queue. No process is left."""
        self._revival.end()
        if self._held:
            logger.warning("%d reports on commands of the server itself came while it had no engine", len(self._held))
            self._held.clear()
        try:
            if self._in_use:
                self._in_use = False
                async with asyncio.timeout(timeout_seconds + CLOSE_EXTRA_SECONDS):
                    await self._exchange(
                        Verb.CLOSE, lambda number: border.CloseRequest(number=number, timeout_seconds=timeout_seconds)
                    )
        except (TimeoutError, EngineLost):
            logger.exception("The queue's engine did not end orderly; it is killed")
        finally:
            self._forget(EngineNotRunning())

    async def ask(self, verb: Verb, request: Callable[[int], object], payload: bytes = b"") -> Frame:
        """Send a request, built for its number, and wait for the answer.

        Raises:
            QueueError: what the engine answered, or that it is not there to answer.
        """
        while True:
            if not self._in_use:
                await self._revival.wait()
            try:
                return await self._exchange(verb, request, payload)
            except EngineLost:
                if verb not in REPEATABLE:
                    raise

    def post(self, verb: Verb, notice: object, payload: bytes = b"") -> None:
        """Send what is not answered; callable from any thread.

        Raises:
            EngineNotRunning: the engine is not there.
        """
        frame = encode(verb, notice, payload)
        if self._in_use:
            self._send(frame)
        elif self._revival.active:
            self._held.append(frame)
        else:
            raise EngineNotRunning

    async def _open(self, options: EngineOptions, *, takes_over: bool, in_process: tuple[str, ...]) -> Capabilities:
        self._forget(EngineLost())
        self._process = process = EngineProcess.spawn(options.withheld_variables)
        self._channel = Channel(process.socket, on_frames=self._on_frames, on_closed=self._on_closed)
        try:
            async with asyncio.timeout(options.workers.start_timeout_seconds):
                frame = await self._exchange(
                    Verb.OPEN,
                    lambda number: border.OpenRequest(
                        number=number,
                        options=options,
                        server_pid=os.getpid(),
                        takes_over=takes_over,
                        in_process=in_process,
                    ),
                )
        except TimeoutError as error:
            seconds = options.workers.start_timeout_seconds
            raise await self._start_failed(process, f"it did not answer within {seconds:g} s") from error
        except EngineLost as error:
            raise await self._start_failed(process, "its process ended") from error
        except BaseException:
            self._forget(EngineLost())
            raise
        self._in_use = True
        return decode(frame.header, border.OpenedReply).capabilities

    async def _revive(self) -> None:
        """Start a lost engine again: the jobs that it ran are recovered by the store, as after a crash of the server.

        Raises:
            QueueError: it does not start.
        """
        assert self._options is not None
        lost = self._lost
        if lost is not None:
            # In a thread: its warden may take a moment to end what jobs have left, before anything runs again.
            logger.critical("The queue's engine is gone. %s", await asyncio.to_thread(lost.bury))
            self._lost = None
        await self._open(self._options, takes_over=True, in_process=self._events.jobs_in_process())
        # Before anything that is posted from now on: an end must not overtake the beginning of its job.
        held, self._held = self._held, []
        for frame in held:
            self._send(frame)
        if self._setup is not None:
            await self._exchange(Verb.WARM_UP, partial(_warm_up_request, self._setup))
        if not self._in_use:
            raise EngineLost
        logger.warning("The queue's engine was started again")
        self._events.on_revived()

    async def _exchange(self, verb: Verb, request: Callable[[int], object], payload: bytes = b"") -> Frame:
        number = next(self._numbers)
        frame = encode(verb, request(number), payload)
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(frame)
            return await self._answer(future)
        except asyncio.CancelledError:
            with suppress(EngineNotRunning):
                self._send(encode(Verb.CALL_OFF, border.CallOffNotice(number)))
            raise
        finally:
            self._waiting.pop(number, None)

    async def _answer(self, future: asyncio.Future[Frame]) -> Frame:
        """Wait for the answer. A caller that is not on the home loop looks after it: nobody tells when a loop ends."""
        while self._home is not future.get_loop():
            done, _ = await asyncio.wait([future], timeout=HOME_CHECK_SECONDS)
            if done or self._channel is None:
                break
            self._home_loop(self._channel)
        return await future

    def _send(self, frame: bytes) -> None:
        channel = self._channel
        if channel is None:
            raise EngineNotRunning
        home = self._home_loop(channel)
        if home is running_loop():
            channel.send(frame)
        else:
            home.call_soon_threadsafe(channel.send, frame)

    def _home_loop(self, channel: Channel) -> asyncio.AbstractEventLoop:
        home = self._home
        if home is not None and home.is_running():
            return home
        with self._home_lock:
            if self._home is None or not self._home.is_running():
                loop = running_loop()
                if loop is None:
                    raise EngineNotRunning("the event loop that the queue was used on has ended; call from a new one")
                channel.detach()
                channel.attach(loop)
                self._home = loop
            return self._home

    def _on_frames(self, frames: list[Frame]) -> None:
        for frame in frames:
            if not deliver(self._events, frame):
                self._settle(msgspec.json.decode(frame.header, type=border.PageReply).number, frame)

    def _settle(self, number: int, frame: Frame) -> None:
        future = self._waiting.get(number)
        if future is None:
            return
        outcome: Frame | QueueError = frame
        if frame.kind == Verb.ERROR:
            outcome = border.error_of(msgspec.json.decode(frame.payload, type=border.ErrorReport))
        loop = future.get_loop()
        if loop is self._home:
            resolve(future, outcome)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(resolve, future, outcome)

    def _on_closed(self) -> None:
        if self._process is None or not self._in_use:
            # At the start and at the end somebody waits for the process, and tells what became of it.
            self._fail_waiting(EngineLost())
            return
        self._lost, self._process, self._in_use = self._process, None, False
        # First: who learns of the loss finds that the engine is coming back.
        self._revival.begin()
        self._disconnect(EngineLost())
        self._events.on_lost()

    async def _start_failed(self, process: EngineProcess, reason: str) -> EngineStartFailed:
        self._process = None
        self._disconnect(EngineLost())
        # In a thread: one that hangs gets some seconds to end.
        description = await asyncio.to_thread(process.bury)
        return EngineStartFailed(f"the queue's engine did not start: {reason}. {description}")

    def _fail_waiting(self, error: QueueError) -> None:
        for future in list(self._waiting.values()):
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(resolve, future, error)

    def _forget(self, error: QueueError) -> None:
        """Let go of the process and its socket; who still waits gets ``error``."""
        self._disconnect(error)
        ended = (self._process, self._lost)
        self._process = self._lost = None
        for process in ended:
            if process is not None:
                process.end()

    def _disconnect(self, error: QueueError) -> None:
        self._in_use = False
        self._fail_waiting(error)
        channel = self._channel
        self._channel = self._home = None
        if channel is not None:
            channel.close()


def _warm_up_request(setup: Setup, number: int) -> border.WarmUpRequest:
    return border.WarmUpRequest(number=number, setup=setup)
