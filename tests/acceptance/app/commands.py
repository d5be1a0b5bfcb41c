"""Commands that do as they should."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult

from mcp_queue_plugin import current_job
from tests.acceptance.app.base import POLL_SECONDS, QueuedCommand, append, wait_for_file

HOLD_SECONDS = 120.0


class AddNumbers(QueuedCommand):
    """Add two numbers; the schema forbids anything else."""

    name = "add_numbers"
    properties: ClassVar[dict[str, Any]] = {"a": {"type": "integer", "minimum": 0}, "b": {"type": "integer"}}
    required = ("a", "b")

    async def execute(self, **params: Any) -> CommandResult:
        return SuccessResult(data={"sum": params["a"] + params["b"]})


class Narrate(QueuedCommand):
    """Report progress and write to both streams in two halves, the second once ``gate`` exists."""

    name = "narrate"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}}
    required = ("gate",)

    async def execute(self, **params: Any) -> CommandResult:
        tracker = params["context"]["progress_tracker"]
        print("first half")
        print("a warning", file=sys.stderr)
        tracker.set_progress(50)
        tracker.set_description("half way")
        await wait_for_file(params["gate"])
        tracker.set_progress(90)
        current_job().log("second half")
        return SuccessResult(data={"told": True})


class PrintLines(QueuedCommand):
    """Write ``count`` numbered lines to standard output."""

    name = "print_lines"
    properties: ClassVar[dict[str, Any]] = {"count": {"type": "integer"}}

    async def execute(self, **params: Any) -> CommandResult:
        for number in range(params["count"]):
            print(f"line {number}")
        return SuccessResult()


class Flood(QueuedCommand):
    """Write ``count`` times a hundred long lines to standard output, and say in a file how often it has."""

    name = "flood"
    properties: ClassVar[dict[str, Any]] = {"count": {"type": "integer"}, "path": {"type": "string"}}

    async def execute(self, **params: Any) -> CommandResult:
        path = Path(params["path"])
        for number in range(params["count"]):
            print(f"{'x' * 999}\n" * 100, end="", flush=True)
            path.write_text(str(number))  # noqa: ASYNC240 - nothing else runs here
        return SuccessResult()


class Hold(QueuedCommand):
    """Run on the event loop until ``gate`` exists. Its schema is open."""

    name = "hold"
    properties: ClassVar[dict[str, Any]] = {"gate": {"type": "string"}}
    required = ("gate",)
    open_schema = True

    async def execute(self, **params: Any) -> CommandResult:
        current_job().set_description("running")
        await wait_for_file(params["gate"])
        return SuccessResult(data={"attempt": current_job().attempt})


class HoldInServer(Command):
    """The same in the server's own process."""

    name = "hold_in_server"
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"gate": {"type": "string"}}, "required": ["gate"]}

    async def execute(self, **params: Any) -> CommandResult:
        await wait_for_file(params["gate"])
        return SuccessResult(data={"pid": os.getpid()})


class Block(QueuedCommand):
    """Hold the worker in one blocking call."""

    name = "block"

    async def execute(self, **_: Any) -> CommandResult:
        current_job().set_description("running")
        time.sleep(HOLD_SECONDS)  # noqa: ASYNC251 - what this command is for
        return SuccessResult()


class Cooperate(QueuedCommand):
    """Block the loop, but look whether a stop was asked for."""

    name = "cooperate"

    async def execute(self, **_: Any) -> CommandResult:
        job = current_job()
        job.set_description("running")
        while not job.should_stop():
            time.sleep(POLL_SECONDS)  # noqa: ASYNC251 - what this command is for
        print("let go")
        return SuccessResult(data={"stopped": True})


class Stamp(QueuedCommand):
    """Append a line with the times of its start and its end to ``path``; between them it is busy or waits."""

    name = "stamp"
    properties: ClassVar[dict[str, Any]] = {
        "path": {"type": "string"},
        "seconds": {"type": "number"},
        "blocking": {"type": "boolean"},
    }

    async def execute(self, **params: Any) -> CommandResult:
        started = time.monotonic()
        if params["blocking"]:
            time.sleep(params["seconds"])  # noqa: ASYNC251 - what this command is for
        else:
            await asyncio.sleep(params["seconds"])
        append(params["path"], f"{started} {time.monotonic()}\n")
        return SuccessResult()


class LeaveFamily(QueuedCommand):
    """Start a process that moves to a session of its own, and hold on."""

    name = "leave_family"

    async def execute(self, **_: Any) -> CommandResult:
        subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [sys.executable, "-c", f"import time; time.sleep({HOLD_SECONDS})"], start_new_session=True
        )
        current_job().set_description("running")
        await asyncio.sleep(HOLD_SECONDS)
        return SuccessResult()


class SpeakInThread(QueuedCommand):
    """Use ``current_job()`` in a thread."""

    name = "speak_in_thread"

    async def execute(self, **_: Any) -> CommandResult:
        seen: list[str] = []

        def speak() -> None:
            current_job().set_progress(42)
            current_job().set_description("from a thread")
            seen.append(current_job().job_id)

        thread = threading.Thread(target=speak)
        thread.start()
        await asyncio.to_thread(thread.join)
        return SuccessResult(data={"job_id": seen[0]})


class TakeItsTime(QueuedCommand):
    """Announces how long it will take, and reports nothing."""

    name = "take_its_time"
    properties: ClassVar[dict[str, Any]] = {
        "duration": {"type": "number"},
        "steps": {"type": "integer"},
        "gate": {"type": "string"},
    }

    async def execute(self, **params: Any) -> CommandResult:
        await wait_for_file(params["gate"])
        return SuccessResult()


class OwnRun(QueuedCommand):
    """Overrides ``run``, as some applications do to wrap each call."""

    name = "own_run"

    @classmethod
    async def run(cls, **kwargs: Any) -> CommandResult:
        return SuccessResult(data={"ran": "own", "has_tracker": "progress_tracker" in kwargs["context"]})

    async def execute(self, **_: Any) -> CommandResult:
        raise NotImplementedError


for command in (
    AddNumbers,
    Narrate,
    PrintLines,
    Flood,
    Hold,
    HoldInServer,
    Block,
    Cooperate,
    Stamp,
    LeaveFamily,
    SpeakInThread,
    TakeItsTime,
    OwnRun,
):
    registry.register(command, "custom")
