"""Which threads may outlive their job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from mcp_queue_plugin.workers.threads import Threads, module_of

HERE = __name__


class Watcher(threading.Thread):
    """A thread whose code is its class's."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.over = over

    def run(self) -> None:
        self.over.wait()


def wait(over: threading.Event) -> None:
    over.wait()


KINDS: dict[str, Callable[[threading.Event], threading.Thread]] = {
    "class": Watcher,
    "function": lambda over: threading.Thread(target=wait, args=(over,)),
    "partial": lambda over: threading.Thread(target=partial(partial(wait), over)),
    "method": lambda over: threading.Thread(target=Watcher(over).run),
}


@pytest.fixture
def over() -> Iterator[threading.Event]:
    over = threading.Event()
    yield over
    over.set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_is_known_by_the_module_of_its_code(over: threading.Event, kind: str) -> None:
    none_may, its_module, its_package, all_may, another = (
        Threads(lasting) for lasting in ((), [HERE], [HERE.partition(".")[0]], ["*"], [f"{HERE}.more", HERE[:-1]])
    )
    thread = KINDS[kind](over)
    thread.start()
    assert module_of(thread) == HERE
    assert none_may.strays() == another.strays() == [thread]
    assert its_module.strays() == its_package.strays() == all_may.strays() == []
    over.set()
    thread.join()
    assert none_may.strays() == []


def test_threads_that_were_there_before_are_nobody_s(over: threading.Event) -> None:
    thread = Watcher(over)
    thread.start()
    assert Threads(()).strays() == []


def test_a_thread_without_code_is_of_no_module() -> None:
    assert module_of(threading.Thread()) == "unknown"
