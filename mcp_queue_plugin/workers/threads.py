"""The threads that a job leaves behind, and which of them may stay."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

ANY_MODULE = "*"

_OURS = __name__.partition(".")[0]


class Threads:
    """The threads there are when the worker is set up, and the modules whose threads may join them."""

    def __init__(self, lasting: Iterable[str]) -> None:
        """Let the threads of these modules, and of all modules in them, outlive their job; ``*`` lets all."""
        self._known = frozenset(threading.enumerate())
        self._lasting = frozenset({*lasting, _OURS})

    def strays(self) -> list[threading.Thread]:
        """Those that the job has started and that may not stay. Those that C has started are not known to be its."""
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._known
            and not isinstance(thread, threading._DummyThread)  # noqa: SLF001 (documented, but not exported)
            and not self._may_stay(thread)
        ]

    def _may_stay(self, thread: threading.Thread) -> bool:
        return ANY_MODULE in self._lasting or not self._lasting.isdisjoint(_with_parents(module_of(thread)))


def module_of(thread: threading.Thread) -> str:
    """The module whose code a thread runs: that of its class or, for a plain thread, of its target."""
    if type(thread).run is not threading.Thread.run:
        return type(thread).__module__
    # Private, and the only place where it is kept; gone when the thread has ended.
    target = getattr(thread, "_target", None)
    while isinstance(target, partial):
        target = target.func
    return getattr(target, "__module__", None) or "unknown"


def _with_parents(module: str) -> Iterable[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))
