"""Bounded waiting for what no event tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.02


async def until(condition: Callable[[], Awaitable[bool]], timeout_seconds: float = 30.0) -> None:
    """Come back as soon as ``condition`` holds, or fail after ``timeout_seconds``."""
    for _ in range(round(timeout_seconds / POLL_SECONDS)):
        if await condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"it did not come true within {timeout_seconds:g} s")
