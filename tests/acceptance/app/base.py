"""What the commands of this application share."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.result import SuccessResult

POLL_SECONDS = 0.02


class QueuedCommand(Command):
    """A command that runs in the background; its parameters are ``properties``, and those in ``required``."""

    result_class = SuccessResult
    use_queue = True
    properties: ClassVar[dict[str, Any]] = {}
    required: ClassVar[tuple[str, ...]] = ()
    open_schema: ClassVar[bool] = False
    """Whether further parameters pass; ``poll_interval`` is one."""

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": cls.properties,
            "required": list(cls.required),
            "additionalProperties": cls.open_schema,
        }


async def wait_for_file(path: str) -> None:
    """Return once there is a file at ``path``: how a test tells a job to go on."""
    while True:
        if exists(path):
            return
        await asyncio.sleep(POLL_SECONDS)


def exists(path: str) -> bool:
    return Path(path).exists()


def append(path: str, text: str) -> int:
    """Add ``text`` to a file; how long the file is then."""
    with Path(path).open("a") as file:
        file.write(text)
        return file.tell()
