"""Runs commands and jobs inside a worker, which loads this by name and knows nothing else of the adapter."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import sys
import traceback
from contextlib import suppress
from typing import Any

from mcp_queue_plugin.adapter.bridge import worker
from mcp_queue_plugin.adapter.jobs import MESSAGE_MAX_LENGTH, CommandExecutionJob, JobReturn, JobRun
from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.adapter.standard_error import StandardError
from mcp_queue_plugin.adapter.tasks import Task
from mcp_queue_plugin.context import JobContext
from mcp_queue_plugin.errors import CommandUnknown, NotJson, TargetNotFound
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import exception_names
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.workers.child import JobLoop, JobStopped
from mcp_queue_plugin.workers.protocol import Run, Setup

TRACEBACK_MAX_LENGTH = 4096


class AdapterRunner:
    """Sets a worker up as the server is, and runs attempts in it."""

    def __init__(self, setup: Setup) -> None:
        """Restore the configuration and import what registers commands; failed imports are kept, not raised."""
        self._standard_error = StandardError()
        handler = logging.StreamHandler(self._standard_error)
        logging.basicConfig(handlers=[handler], level=_level(setup.log_level), format=_LOG_FORMAT)
        if setup.config_path is not None:
            worker.restore_config(setup.config_path)
        modules = dict.fromkeys((*setup.auto_import_modules, *_modules_of_environment()))
        self.failed_imports = worker.import_modules(modules)
        worker.run_hooks(setup.hook_modules)
        self.commands = worker.queued_commands()
        self._pid = os.getpid()

    def run(self, call: Run, params: bytes, context: JobContext, loop: JobLoop) -> Ending:
        """Run one attempt to its end; what its code raises becomes a failed ending, with the traceback in its log."""
        try:
            return self._run(call, json.loads(params), context, loop)
        except JobStopped:
            return Ending(kind=EndingKind.STOPPED)
        except BaseException as error:  # noqa: BLE001 - the border of a job: whatever it raises is its end
            return self._failed(error)

    def _run(self, call: Run, params: dict[str, Any], context: JobContext, loop: JobLoop) -> Ending:
        self.failed_imports.update(worker.import_modules(_modules_of_job(params)) if call.command is not None else {})
        found = _load(call.target)
        if isinstance(found, Task):
            return _ending(JobReturn(EndingKind.COMPLETED, _call(found, params, loop)))
        job = found(call.job_id, params)
        if isinstance(job, CommandExecutionJob):
            job.prepare(context, loop)
            if type(job) is CommandExecutionJob:
                # Most jobs are of this very class: without hooks, and without use for the state of queuemgr's jobs.
                return _ending(job.run_command())
        return self._run_job(JobRun(job, context))

    def _run_job(self, job: JobRun) -> Ending:
        try:
            returned = job.run()
        except BaseException as error:  # noqa: BLE001 - the same border; what the job has set as its result is kept
            return self._failed(error, job.result)
        return _ending(returned)

    def _failed(self, error: BaseException, result: Any = None) -> Ending:
        if os.getpid() != self._pid:
            # A process that the job forked off: what it raises ends it, as it would anywhere.
            raise error
        self._standard_error.write("".join(traceback.format_exception(error)))
        with suppress(NotJson):
            return _failure(error, self._error_info(error), _document(result))
        return _failure(error, self._error_info(error), None)

    def _error_info(self, error: BaseException) -> ErrorInfo:
        message = _message_of(error)
        if isinstance(error, CommandUnknown | TargetNotFound) and self.failed_imports:
            message += f"; modules that failed to import in the worker: {', '.join(self.failed_imports)}"
        tail = "".join((*self._import_tracebacks(error), *traceback.format_exception(error)))
        return ErrorInfo(
            type=type(error).__name__,
            message=storable(message, MESSAGE_MAX_LENGTH),
            code=worker.error_code(error),
            traceback_tail=storable(tail[-TRACEBACK_MAX_LENGTH:], TRACEBACK_MAX_LENGTH),
        )

    def _import_tracebacks(self, error: BaseException) -> list[str]:
        if isinstance(error, CommandUnknown | TargetNotFound):
            return list(self.failed_imports.values())
        return []


def _ending(returned: JobReturn) -> Ending:
    return Ending(
        kind=returned.kind,
        result=_document(returned.result),
        error=returned.error,
        completed_with_error=returned.with_error,
        error_kinds=returned.error_kinds,
    )


def _failure(error: BaseException, info: ErrorInfo, result: bytes | None) -> Ending:
    return Ending(kind=EndingKind.FAILED, result=result, error=info, error_kinds=exception_names(type(error)))


def _call(task: Task[..., Any], arguments: dict[str, Any], loop: JobLoop) -> Any:
    answer = task(**arguments)
    return loop.run_until_complete(answer) if inspect.iscoroutine(answer) else answer


def _document(result: Any) -> bytes | None:
    return None if result is None else encode_document(result)


_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _message_of(error: BaseException) -> str:
    """What ``error`` says of itself; its type's name if it says nothing, or fails to."""
    try:
        if isinstance(error, SystemExit):
            return f"the job called sys.exit({error.code!r}); a job ends by returning"
        message: object = getattr(error, "message", None)
        return message if isinstance(message, str) and message else str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - the words of an error are code of the job, which may raise whatever it likes
        return type(error).__name__


def _level(name: str | None) -> int:
    return logging.getLevelNamesMapping().get((name or "").upper(), logging.INFO)


def _modules_of_environment() -> list[str]:
    named = os.environ.get("MCP_AUTO_REGISTER_MODULES", "")
    return [name.strip() for name in named.split(",") if name.strip()]


def _modules_of_job(params: dict[str, Any]) -> list[str]:
    """The modules that the application named for this very job and that are not imported yet."""
    named = params.get("auto_import_modules") or ()
    return [name for name in named if name not in sys.modules]


def _load(target: str) -> Any:
    """The job class or task that ``target`` names."""
    module_name, _, qualname = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise TargetNotFound(
            f"the job's code {target!r} cannot be found in a worker; define it at the top of an importable module"
        ) from error
    if not isinstance(found, type | Task):
        raise TargetNotFound(f"the job's code {target!r} is neither a job class nor a task, but {found!r}")
    return found
