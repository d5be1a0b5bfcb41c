"""The one event loop of a worker, kept from job to job."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from mcp_queue_plugin.model.job import Token
from mcp_queue_plugin.workers.control import Control

STRAY_TASKS_SECONDS = 1.0
"""How long cancelled tasks may take to clean up after themselves."""

P = ParamSpec("P")
T = TypeVar("T")


class JobStopped(Exception):
    """The coroutine was cancelled because its attempt was asked to stop."""


class JobLoop:
    """Runs coroutines of one attempt after another, and cancels the one that runs when its attempt is to stop."""

    def __init__(self, control: Control) -> None:
        """Watch ``control`` for a stop while a coroutine runs."""
        self._control = control
        self._token: Token | None = None
        self._task: asyncio.Task[Any] | None = None
        self._used = False
        self._open()
        control.on_stop = self._cancel

    def begin(self, token: Token) -> None:
        """Run for this attempt from now on."""
        self._token = token

    def run_until_complete(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` as a task and answer its result; what it raises is raised here.

        Raises:
            JobStopped: it was cancelled because of a stop. One that carries on regardless ends as it likes.

        """
        self._used = True
        task: asyncio.Task[T] = self._loop.create_task(coroutine)
        self._task = task
        if self._stop_seen():
            task.cancel()
        try:
            return self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not self._stop_seen():
                raise
            if self._token is not None and self._control.timed_out(self._token):
                # Where it hung: the stacks of the coroutines that waited for each other.
                traceback.print_exc()
            raise JobStopped from None
        finally:
            self._task = None
            _mark_as_seen(task)

    def tidy(self) -> str | None:
        """Cancel the tasks and end the threads that the attempt has left; answers in words what did not let go."""
        if self._loop.is_closed():
            self._open()
        # An asyncio.run() in a job leaves no current loop behind.
        asyncio.set_event_loop(self._loop)
        if not self._used:
            return None
        self._used = False
        if self._executor.used:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._renew_executor()
        return self._cancel_stray_tasks()

    def close(self) -> None:
        """Close the loop; for the end of the worker."""
        self._loop.close()

    def _open(self) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._renew_executor()
        self._control.loop = self._loop
        self._loop.add_reader(self._control, self._look)

    def _renew_executor(self) -> None:
        self._executor = _Executor()
        self._loop.set_default_executor(self._executor)

    def _cancel_stray_tasks(self) -> str | None:
        strays = asyncio.all_tasks(self._loop)
        if not strays:
            return None
        for task in strays:
            task.cancel()
        done, pending = self._loop.run_until_complete(asyncio.wait(strays, timeout=STRAY_TASKS_SECONDS))
        for task in done:
            _mark_as_seen(task)
        return f"{len(pending)} asyncio tasks that do not let go" if pending else None

    def _stop_seen(self) -> bool:
        return self._token is not None and self._control.stop_seen(self._token)

    def _look(self) -> None:
        self._control.poll()
        if self._control.closed:
            self._loop.remove_reader(self._control)

    def _cancel(self) -> None:
        task = self._task
        if task is not None and (self._stop_seen() or self._control.closed):
            self._loop.call_soon_threadsafe(task.cancel)


class _Executor(ThreadPoolExecutor):
    """A thread pool that knows whether it was ever used."""

    used = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.used = True
        return super().submit(fn, *args, **kwargs)


def _mark_as_seen(task: asyncio.Task[Any]) -> None:
    # Otherwise asyncio would complain, in the log of some later job, about an exception that nobody fetched.
    if task.done() and not task.cancelled():
        task.exception()
