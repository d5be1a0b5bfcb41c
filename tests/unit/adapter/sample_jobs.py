"""Job classes as applications write them, for the adapter's base class and for queuemgr's."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from mcp_proxy_adapter.commands.queue.jobs import CommandExecutionJob as AdapterCommandExecutionJob
from mcp_proxy_adapter.commands.result import CommandResult
from mcp_proxy_adapter.integrations.queuemgr_integration import QueueJobBase
from queuemgr.jobs.base import QueueJobBase as QueuemgrJobBase

from mcp_queue_plugin.adapter.jobs import CommandExecutionJob
from mcp_queue_plugin.context import JobContext, current_job
from mcp_queue_plugin.errors import NotInJob


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

    def exit(self) -> None:
        sys.exit(self.mcp_params["code"])

    def interrupt(self) -> None:
        raise KeyboardInterrupt

    def fork(self) -> None:
        child = os.fork()
        if child == 0:
            sys.exit(self.mcp_params["code"])
        self.set_result({"child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})

    def result_then_error(self) -> None:
        self.set_mcp_result({"rows": 1})
        raise ValueError("broken rows")

    def odd_result_then_error(self) -> None:
        self.set_result({"rows": {1}})
        raise ValueError("broken rows")

    def status(self) -> None:
        self.set_status(self.mcp_params["status"])
        self.set_result({"rows": 1})

    def log_lines(self) -> None:
        self.logger.debug("a detail")
        self.logger.info("a line of the adapter's logger")
        logging.getLogger("an.application").warning("a line of another")

    def chatter(self) -> None:
        """Report about a thousand times a second, and print even more."""
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < 1.5:
            count += 1
            self.set_progress(count % 100)
            self.set_description(f"report {count}")
            print("x" * 2000)
            time.sleep(0.001)
        self.set_result({"seconds": time.monotonic() - began, "reports": count})

    def report_and_hold(self) -> None:
        for percent in (1, 2, 3):
            self.set_progress(percent)
        self.set_description("held")
        while not self.should_stop():
            time.sleep(0.005)

    def succeed_at_last(self) -> None:
        """Fail in the first attempt, half way, and begin anew."""
        attempt = current_job().attempt
        self.set_progress(60 if attempt == 1 else 10)
        self.set_description(f"attempt {attempt}")
        time.sleep(0.2)
        if attempt == 1:
            raise ValueError("not yet")

    def two_steps(self) -> None:
        self.set_description("first")
        self.wait()
        self.set_description("second")
        while not self.should_stop():
            time.sleep(0.005)

    def wait_for_file(self) -> None:
        self.set_description("waiting")
        self.wait()

    def wait(self) -> None:
        while not Path(self.mcp_params["path"]).exists():
            time.sleep(0.005)

    def speak_from_everywhere(self) -> None:
        """Find the job in a function in a function, in threads, on a loop; and not in another process."""

        def nested() -> str:
            return current_job().job_id

        with ThreadPoolExecutor(2) as pool:
            found = [nested(), *pool.map(lambda _: nested(), range(4)), asyncio.run(asyncio.to_thread(nested))]
        children = {method: _asked_in_a_child(method) for method in ("fork", "spawn")}
        self.set_result({"found": found, "children": children})

    def own_loop(self) -> None:
        self.set_result({"answer": asyncio.run(self._answer())})

    async def _answer(self) -> int:
        return 42


def _asked_in_a_child(method: str) -> str:
    """What a child process of this one gets to hear that asks for its job."""
    context: Any = multiprocessing.get_context(method)
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_ask, args=(sending,))
    child.start()
    answer = str(receiving.recv())
    child.join()
    return answer


def _ask(sending: Any) -> None:
    try:
        sending.send(current_job().job_id)
    except NotInJob:
        sending.send("not in a job")


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
        assert self.error is exc


class ClumsyJob(HookedJob):
    """Fails in the hook that its parameters name."""

    def on_start(self) -> None:
        self._stumble("on_start")

    def on_end(self) -> None:
        self._stumble("on_end")

    def on_stop(self) -> None:
        self._stumble("on_stop")

    def on_error(self, exc: BaseException) -> None:
        super().on_error(exc)
        self._stumble("on_error")

    def _stumble(self, hook: str) -> None:
        self.calls.append(hook)
        if hook in self.params["fails_in"]:
            raise RuntimeError(f"stumbled in {hook}")


class LateJob(AdapterJob):
    """Has an ``__init__`` of its own, with more parameters, and things to tell of its attributes."""

    def __init__(self, job_id: str, params: dict[str, Any], rows: int = 7) -> None:
        super().__init__(job_id, params)
        self.rows = rows

    def run(self) -> None:
        self.set_mcp_result({"rows": self.rows, "job": self.job_id, "same": self.params == self.mcp_params})


class StrangeJob(AdapterJob):
    """Cannot be made from an id and parameters."""

    def __init__(self) -> None:
        super().__init__("strange", {})


class RestingJob(AdapterJob):
    """Has nothing that runs."""

    run = QueueJobBase.run


class AsyncJob(AdapterJob):
    """Would return a coroutine instead of running."""

    async def run(self) -> None:  # type: ignore[override]
        raise NotImplementedError


class HookedCommandJob(CommandExecutionJob):
    """Runs a command between its hooks, and inside a ``run`` of its own."""

    def on_start(self) -> None:
        print("on_start")

    def run(self) -> None:
        print("run")
        super().run()
        print("ran")

    def on_end(self) -> None:
        print("on_end")

    def on_stop(self) -> None:
        print("on_stop")


class LoudCommandJob(CommandExecutionJob):
    """Runs a command and says so."""

    async def execute_command(self, context: JobContext) -> CommandResult:
        print("loud")
        return await super().execute_command(context)


class AdapterSubclassJob(AdapterCommandExecutionJob):
    """A subclass of the adapter's own class, with a run of its own."""

    def run(self) -> None:
        self.set_mcp_result({"ran": self.mcp_params["command"]})


class AdapterHeirJob(AdapterCommandExecutionJob):
    """A subclass that does as the adapter's own class does."""

    def run(self) -> None:
        print("before")
        super().run()


class Unspeaking(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class OddlyWorded(Exception):
    """An error whose ``message`` is no text."""

    message: ClassVar[dict[str, str]] = {"en": "no luck"}
