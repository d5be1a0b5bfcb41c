"""Small programs that use the manager without an application."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from multiprocessing.queues import SimpleQueue

from mcp_queue_plugin import get_global_queue_manager, init_global_queue_manager, shutdown_global_queue_manager
from tests.acceptance.app.jobs import DoubleJob

SECONDS = 20.0


async def double(number: int) -> int:
    """Start a manager, run one job on it, and shut it down."""
    await init_global_queue_manager(in_memory=True, max_concurrent_jobs=2)
    try:
        return await double_with_running_manager("job", number)
    finally:
        await shutdown_global_queue_manager()


async def double_with_running_manager(job_id: str, number: int) -> int:
    manager = await get_global_queue_manager()
    await manager.submit_job(DoubleJob, job_id, {"number": number})
    return int((await manager.wait_job(job_id, SECONDS)).result["doubled"])


def double_in_daemonic_process() -> None:
    """Print what a manager in a daemonic process answers."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_put_double, args=(answers,), daemon=True)
    process.start()
    process.join(SECONDS)
    print(answers.get())


def _put_double(answers: SimpleQueue[int]) -> None:
    logging.basicConfig(level=logging.INFO)
    answers.put(asyncio.run(double(21)))


def forget_to_shut_down() -> None:
    """Print the process id of the engine that is left to itself."""
    asyncio.run(_run_and_forget())


async def _run_and_forget() -> None:
    manager = await init_global_queue_manager(in_memory=True, max_concurrent_jobs=2)
    await double_with_running_manager("job", 1)
    print(manager.engine.pid)
