"""Runs commands and jobs inside a worker, which loads this by name and knows nothing else of the adapter."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import traceback
from typing import Any

from mcp_queue_plugin.adapter.bridge import worker
from mcp_queue_plugin.adapter.jobs import CommandExecutionJob, JobRun
from mcp_queue_plugin.adapter.json_document import encode_document
from mcp_queue_plugin.context import JobContext
from mcp_queue_plugin.errors import CommandUnknown, TargetNotFound
from mcp_queue_plugin.model.job import ErrorInfo
from mcp_queue_plugin.model.operations import Ending, EndingKind
from mcp_queue_plugin.model.options import exception_names
from mcp_queue_plugin.model.text import storable
from mcp_queue_plugin.workers.child import JobLoop, JobStopped
from mcp_queue_plugin.workers.protocol import Run, Setup

ERROR_RESULT = "ErrorResult"
"""What ``retry_on`` calls an error that a command has returned."""

JOB_FAILED = "JobFailed"
"""The type of the error of a job that says itself that it has failed."""

MESSAGE_MAX_LENGTH = 2048
TRACEBACK_MAX_LENGTH = 4096


class AdapterRunner:
    """Sets a worker up as the server is, and runs attempts in it."""

    def __init__(self, setup: Setup) -> None:
        """Restore the configuration and import what registers commands; failed imports are kept, not raised."""
        logging.basicConfig(stream=sys.stderr, level=_level(setup.log_level), format=_LOG_FORMAT)
        if setup.config_path is not None:
            worker.restore_config(setup.config_path)
        modules = dict.fromkeys((*setup.auto_import_modules, *_modules_of_environment()))
        self.failed_imports = worker.import_modules(modules)
        worker.run_hooks(setup.hook_modules)
        self.commands = worker.queued_commands()

    def run(self, call: Run, params: bytes, context: JobContext, loop: JobLoop) -> Ending:
        """Run one attempt to its end; what its code raises becomes a failed ending, with the traceback in its log."""
        try:
            return self._run(call, json.loads(params), context, loop)
        except JobStopped:
            return Ending(kind=EndingKind.STOPPED)
        except BaseException as error:  # noqa: BLE001 - the border of a job: whatever it raises is its end
            traceback.print_exc()
            kinds = exception_names(type(error))
            return Ending(kind=EndingKind.FAILED, error=self._error_info(error), error_kinds=kinds)

    def _run(self, call: Run, params: dict[str, Any], context: JobContext, loop: JobLoop) -> Ending:
        self.failed_imports.update(worker.import_modules(_modules_of_job(params)) if call.command is not None else {})
        job_class = _load(call.target)
        job = job_class(call.job_id, params)
        if isinstance(job, CommandExecutionJob):
            document, with_error = job.envelope(loop.run_until_complete(job.execute_command(context)))
            return Ending(
                kind=EndingKind.COMPLETED,
                result=encode_document(document),
                completed_with_error=with_error,
                error_kinds=(ERROR_RESULT,) if with_error else (),
            )
        returned = JobRun(job, context).run()
        result = None if returned.result is None else encode_document(returned.result)
        if returned.message is None:
            return Ending(kind=returned.kind, result=result)
        error = ErrorInfo(type=JOB_FAILED, message=storable(returned.message, MESSAGE_MAX_LENGTH))
        return Ending(kind=returned.kind, result=result, error=error, error_kinds=(JOB_FAILED,))

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


_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _message_of(error: BaseException) -> str:
    """What ``error`` says of itself; its type's name if it says nothing, or fails to."""
    try:
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
    module_name, _, qualname = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise TargetNotFound(
            f"the job's class {target!r} cannot be found in a worker; define it at the top of an importable module"
        ) from error
    return found
