"""Job classes as applications write them, for the adapter's base class and for queuemgr's."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.commands.result import CommandResult
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobBase
from queuemgr.jobs.base import QueueJobBase as QueuemgrJobBase

from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.context import JobContext, current_job


class AdapterJob(QueueJobBase):
    """Does what its parameters say, through the adapter's helpers."""

    def run(self) -> None:
        getattr(self, self.mcp_params["do"])()

    def result(self) -> None:
        self.set_progress(30)
        self.set_description("thirty")
        self.set_mcp_result({"rows": 3, "description": "all rows"})

    def result_with_status(self) -> None:
        self.set_mcp_result({"rows": 1}, status=self.mcp_params["status"])

    def record_error(self) -> None:
        self.set_mcp_error("no rows", code=7, data={"file": "x.csv"})

    def stopped(self) -> None:
        self.set_status("stopped")

    def nothing(self) -> None:
        return

    def raising(self) -> None:
        raise ValueError("broken rows")

    def raising_unspeaking(self) -> None:
        raise Unspeaking

    def raising_oddly_worded(self) -> None:
        raise OddlyWorded("no luck at all")

    def unspeakable(self) -> None:
        self.set_result({"rows": {"first": {1, 2}}})

    def look_around(self) -> None:
        self.set_result(
            {"job": current_job().job_id, "stop": self.should_stop(), "status": int(self.get_status()["status"])}
        )

    def long(self) -> None:
        self.set_description("long")
        while not self.should_stop():
            time.sleep(0.005)
        self.set_mcp_result({"done": "in part"}, status="stopped")

    def own_loop(self) -> None:
        self.set_result({"answer": asyncio.run(self._answer())})

    async def _answer(self) -> int:
        return 42


class HookedJob(QueuemgrJobBase):
    """Writes its hooks down, in the order in which they are called."""

    def __init__(self, job_id: str, params: dict[str, Any]) -> None:
        super().__init__(job_id, params)
        self.calls = ["init"]

    def execute(self) -> None:
        self.calls.append("execute")
        if "raise" in self.params:
            raise OSError(self.params["raise"])
        if "result" in self.params:
            self.set_result(self.params["result"])

    def on_start(self) -> None:
        self.calls.append("on_start")

    def on_end(self) -> None:
        self.calls.append("on_end")

    def on_stop(self) -> None:
        self.calls.append("on_stop")

    def on_error(self, exc: BaseException) -> None:
        self.calls.append(f"on_error {exc}")


class LoudCommandJob(CommandExecutionJob):
    """Runs a command and says so."""

    async def execute_command(self, context: JobContext) -> CommandResult:
        print("loud")
        return await super().execute_command(context)


class AdapterSubclassJob(AdapterCommandExecutionJob):
    """A subclass of the adapter's own class, with a run of its own."""

    def run(self) -> None:
        self.set_mcp_result({"ran": self.mcp_params["command"]})


class Unspeaking(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class OddlyWorded(Exception):
    """An error whose ``message`` is no text."""

    message: ClassVar[dict[str, str]] = {"en": "no luck"}
