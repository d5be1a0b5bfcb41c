"""Functions as jobs, as an application writes them."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from mcp_queue_plugin import current_job, task


@task
def add(a: int, b: int = 10) -> int:
    """The sum of two numbers."""
    return a + b


@task(name="greeting", priority=7, max_retries=2)
async def greet(name: str, *, loud: bool = False, **more: Any) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"text": f"Hello {name}{'!' if loud else '.'}", "more": more}


class Tools:
    """A namespace of tasks."""

    @staticmethod
    @task
    def double(number: int) -> int:
        return 2 * number


@task
def where() -> dict[str, Any]:
    """What the function sees of its surroundings."""
    current_job().set_description("looking around")
    in_main_thread = threading.current_thread() is threading.main_thread()
    return {"job_id": current_job().job_id, "in_main_thread": in_main_thread}


@task
async def where_async() -> dict[str, Any]:
    job_id = await asyncio.to_thread(lambda: current_job().job_id)
    return {"job_id": job_id, "has_loop": asyncio.get_running_loop().is_running()}


@task
def answer(kind: str) -> Any:
    return {"none": None, "zero": 0, "empty": [], "false": False, "text": "", "set": {1}, "pair": (1, 2)}[kind]


@task
def misbehave(how: str) -> None:
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    raise ValueError(how)


@task
async def wait_for_ever() -> None:
    current_job().set_step("waiting")
    await asyncio.Event().wait()


def plain(number: int) -> int:
    return number


other_name = task(plain)


def make_local_task() -> Any:
    @task
    def local() -> None:
        raise NotImplementedError

    return local
