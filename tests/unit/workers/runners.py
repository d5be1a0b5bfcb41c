"""Runners for the tests of workers: a job is a function of a module, named by its target; parameters are one value."""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mcp_queue_plugin.context import JobContext
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import exception_names
from mcp_queue_plugin.workers.jobloop import JobLoop, JobStopped
from mcp_queue_plugin.workers.protocol import Run, Setup


class FunctionRunner:
    """Calls the target with the parameters, on the loop if it is a coroutine function."""

    commands: tuple[str, ...] = ("echo",)

    def __init__(self, setup: Setup) -> None:
        self.failed_imports: dict[str, str] = dict.fromkeys(setup.auto_import_modules, "no such module")

    def run(self, call: Run, params: bytes, context: JobContext, loop: JobLoop) -> Ending:
        module, _, name = call.target.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        try:
            answer = function(json.loads(params))
            if inspect.iscoroutine(answer):
                answer = loop.run_until_complete(answer)
        except JobStopped:
            raise
        except Exception as error:  # noqa: BLE001 (as every runner does)
            traceback.print_exc()
            return Ending(
                kind=EndingKind.FAILED,
                error=ErrorInfo(type=type(error).__name__, message=str(error)),
                error_kinds=exception_names(type(error)),
            )
        return Ending(kind=EndingKind.COMPLETED, result=json.dumps(answer).encode())


class EmptyRunner:
    """Does nothing at all, synchronously."""

    commands: tuple[str, ...] = ()

    def __init__(self, setup: Setup) -> None:
        self.failed_imports: dict[str, str] = {}

    def run(self, call: Run, params: bytes, context: JobContext, loop: JobLoop) -> Ending:
        return Ending(kind=EndingKind.COMPLETED, result=params)


def raising(setup: Setup) -> FunctionRunner:
    print("about to fail", flush=True)
    raise LookupError("no runner today")


def hanging(setup: Setup) -> FunctionRunner:
    print("hanging", flush=True)
    time.sleep(3600)
    return FunctionRunner(setup)


def hanging_deaf(setup: Setup) -> FunctionRunner:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    return hanging(setup)


def exiting(setup: Setup) -> FunctionRunner:
    print("gone before it began", file=sys.stderr, flush=True)
    os._exit(7)
