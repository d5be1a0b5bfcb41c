"""Commands and jobs that write, in every way there is; importing this registers the commands."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobBase
from queuemgr.jobs.base import QueueJobBase as QueuemgrJobBase

from mcp_queue_plugin.context import current_job

logger = logging.getLogger(__name__)


class _LogCommand(Command):
    use_queue = True
    result_class = SuccessResult

    @classmethod
    def get_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}}


class WriteEveryWayCommand(_LogCommand):
    """Writes its name to both streams, through all that a job may write with."""

    name = "log_every_way"

    async def execute(self, name: str = "", **_: Any) -> CommandResult:
        self._write(name)
        await asyncio.to_thread(print, f"{name} executor")
        sys.stdout.write(f"{name} without end")
        return SuccessResult(data={"pid": os.getpid()})

    def _write(self, name: str) -> None:
        print(f"{name} print")
        print(f"{name} print to stderr", file=sys.stderr)
        os.write(1, f"{name} write\n".encode())
        os.write(2, f"{name} write to stderr\n".encode())
        current_job().log(f"{name} log")
        logger.info("%s logging", name)
        ctypes.CDLL(None).printf(f"{name} printf\n".encode())
        subprocess.run(["/bin/sh", "-c", f"echo {name} child; echo {name} child to stderr >&2"], check=True)
        thread = threading.Thread(target=print, args=(f"{name} thread",))
        thread.start()
        thread.join()


WAYS = {
    "stdout": ["print", "write", "log", "printf", "child", "thread", "executor", "without end"],
    "stderr": ["print to stderr", "write to stderr", "logging", "child to stderr"],
}


class LogCommand(_LogCommand):
    """Uses logging as it finds it."""

    name = "log_records"

    async def execute(self, **_: Any) -> CommandResult:
        logging.warning("through the root")
        logger.info("through a name")
        logger.debug("too fine")
        try:
            raise KeyError("lost")
        except KeyError:
            logger.exception("with a traceback")
        return SuccessResult()


class ConfigureLoggingCommand(_LogCommand):
    """Configures logging for itself, and leaves it so."""

    name = "log_configure"

    async def execute(self, name: str = "", **_: Any) -> CommandResult:
        logging.basicConfig(level=logging.DEBUG, format="mine: %(message)s", force=name == "force")
        logger.info("configured")
        logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
        logging.getLogger().setLevel(logging.ERROR)
        logging.disable(logging.WARNING)
        return SuccessResult()


class RuinStreamsCommand(_LogCommand):
    """Makes ``sys.stderr`` useless in some way, then fails."""

    name = "log_ruin"

    async def execute(self, name: str = "", **_: Any) -> CommandResult:
        print("before", end="", file=sys.stderr)
        if name == "closed":
            sys.stderr.close()
        elif name == "replaced":
            sys.stderr = Path(os.devnull).open("w")  # noqa: ASYNC230, SIM115 (left open on purpose)
        elif name == "no descriptor":
            os.close(2)
        raise LookupError(f"stderr is {name}")


class PrintLinesCommand(_LogCommand):
    """Prints ``count`` lines of a hundred characters."""

    name = "log_lines"

    async def execute(self, count: int = 0, **_: Any) -> CommandResult:
        for number in range(count):
            print(f"line {number} ".ljust(99, "."))
        return SuccessResult()


class FailingAdapterJob(QueueJobBase):
    def run(self) -> None:
        raise LookupError("an adapter's job")


class FailingQueuemgrJob(QueuemgrJobBase):
    def execute(self) -> None:
        raise LookupError("a queuemgr's job")


for command in (WriteEveryWayCommand, LogCommand, ConfigureLoggingCommand, RuinStreamsCommand, PrintLinesCommand):
    registry.register(command, "custom")
