"""Jobs that ask questions. Each takes one JSON value."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcp_queue_plugin.context import current_job
from mcp_queue_plugin.errors import QueueError
from tests.unit.engine.tasks import append, hold, hold_silently


def ask(key: str) -> Any:
    """Tell what it does, then ask, and return the answer."""
    current_job().set_progress(10)
    current_job().set_description("before the question")
    return current_job().ask(key, f"What about {key}?")


async def ask_async(key: str) -> Any:
    return await current_job().ask_async(key, f"What about {key}?", {"type": "integer"})


def ask_two(keys: list[str]) -> list[Any]:
    """Two threads ask at the same time."""
    answers: dict[str, Any] = {}

    def ask_one(key: str) -> None:
        answers[key] = current_job().ask(key, key)

    threads = [threading.Thread(target=ask_one, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[key] for key in keys]


async def gather(keys: list[str]) -> list[Any]:
    job = current_job()
    return list(await asyncio.gather(*(job.ask_async(key, key) for key in keys)))


async def gather_mixed(keys: list[str]) -> list[Any]:
    """One is asked on the loop, the others in threads beside it."""
    job = current_job()
    first, *others = keys
    return list(
        await asyncio.gather(
            job.ask_async(first, first), *(asyncio.to_thread(job.ask, other, other) for other in others)
        )
    )


def on_a_loop_of_its_own(keys: list[str]) -> list[Any]:
    return asyncio.run(gather(keys))


def ask_and_die_once(path: str) -> list[Any]:
    """Leave a line for every run; die at the first when the file ``path`` + ".die" comes, with a question open."""
    append(path)
    if current_job().attempt == 1:
        threading.Thread(target=_die_at, args=(f"{path}.die",), daemon=True).start()
    return [current_job().ask("first", "1?"), current_job().attempt]


def answered_then_die_once(path: str) -> list[Any]:
    """Get an answer, die at the first run, and ask again in the second."""
    answer = current_job().ask("first", "1?")
    append(path)
    if current_job().attempt == 1:
        os._exit(3)
    return [answer, current_job().ask("first", "another prompt?")]


def answer_meets_rerun(path: str) -> list[Any]:
    """The first run dies with a question open; the second asks it when the file ``path`` is there."""
    job = current_job()
    if job.attempt == 1:
        threading.Thread(target=_die_at, args=(f"{path}.die",), daemon=True).start()
    else:
        hold(path)
    return [job.ask("first", "1?"), job.attempt]


def _die_at(path: str) -> None:
    hold_silently(path)
    os._exit(3)


def _note(path: str, error: BaseException) -> None:
    Path(path).write_text(type(error).__name__)


def ask_and_note_the_end(path: str) -> None:
    try:
        current_job().ask("first", "1?")
    except BaseException as error:
        _note(path, error)
        raise


async def ask_async_and_note_the_end(path: str) -> None:
    try:
        await current_job().ask_async("first", "1?")
    except BaseException as error:
        _note(path, error)
        raise


def ask_on_a_loop_and_note_the_end(path: str) -> None:
    asyncio.run(ask_async_and_note_the_end(path))


async def ask_in_a_thread_and_note_the_end(path: str) -> None:
    await asyncio.to_thread(ask_and_note_the_end, path)


def ask_despite_a_stop(_: None) -> str:
    """Swallow the stop, and ask again."""
    job = current_job()
    for _again in range(3):
        try:
            job.ask("first", "1?")
        except Exception as error:  # noqa: BLE001 (what careless code does)
            print(type(error).__name__, file=sys.stderr)
    return "done"


async def ask_on_the_loop(_: None) -> str:
    try:
        current_job().ask("first", "1?")
    except QueueError as error:
        return f"{type(error).__name__}: {error}"
    return "answered"


def ask_badly(arguments: list[Any]) -> list[Any]:
    """Answers the error's type and its field."""
    try:
        current_job().ask(*arguments)
    except QueueError as error:
        return [type(error).__name__, error.data.get("field"), error.message]
    return []


async def ask_many(count: int) -> str:
    """Ask so many questions that wait, and then one more."""
    job = current_job()
    tasks = [asyncio.create_task(job.ask_async(f"q{number}", "?")) for number in range(count)]
    await asyncio.sleep(0)
    try:
        await job.ask_async("one more", "?")
    except QueueError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        for task in tasks:
            task.cancel()
    return "answered"


async def give_up_and_ask_again(path: str) -> Any:
    """Wait for an answer a moment only; ask again when the file is there."""
    job = current_job()
    try:
        async with asyncio.timeout(0.05):
            await job.ask_async("first", "1?")
    except TimeoutError:
        job.set_step("gave up")
    await asyncio.to_thread(hold_silently, path)
    return await job.ask_async("first", "once more?")


def leave_a_question(path: str) -> str:
    """Return when the file is there, while a thread of it still waits for an answer."""
    threading.Thread(target=ask_quietly, daemon=True).start()
    hold(path)
    return "left"


def ask_quietly() -> None:
    with suppress(QueueError):
        ask("first")


def ask_in_a_fork(_: None) -> int:
    """A process that it forks off asks through the context it has inherited; answers its exit code."""
    job = current_job()
    pid = os.fork()
    if pid == 0:
        try:
            job.ask("first", "1?")
        except QueueError as error:
            os._exit(7 if type(error).__name__ == "NotInJob" else 8)
        os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
