"""The adapter's commands as something to be called from elsewhere: what they are, and how the server runs one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from mcp_proxy_adapter.api import handlers
from mcp_proxy_adapter.commands.command_registry import CommandRegistry, registry
from mcp_proxy_adapter.core.errors import InvalidParamsError, MicroserviceError, ValidationError

from mcp_queue_plugin.adapter.bridge.server import replace, synchronous_cap_seconds
from mcp_queue_plugin.model.text import storable

Schema = dict[str, Any]

logger = logging.getLogger(__name__)

_detached: set[asyncio.Future[Any]] = set()
"""The commands that run on though nobody waits for them any more."""


class CommandDescription(NamedTuple):
    """What a command says of itself."""

    name: str
    description: str
    parameters: Schema
    """The JSON Schema of its parameters."""
    result: Schema
    """The JSON Schema of its whole answer; empty if it says nothing."""
    use_queue: bool
    ends_in_time: bool
    """Whether it bounds by itself how long it takes."""
    annotations: Mapping[str, Any]
    """``mcp_annotations`` of its class: the hints of an MCP tool, as they are on the wire."""
    requires: Mapping[str, Any]
    """``mcp_requires`` of its class: the client capabilities without which an MCP client cannot use it."""
    asks_for: Mapping[str, tuple[str, ...]]
    """``mcp_ask_for`` of its class: by the key of a question the parameters that it asks for, if they are missing."""


class CommandRefused(Exception):
    """A command, or the adapter for it, did not take a call: its code, message and data as JSON-RPC tells them."""

    def __init__(self, error: MicroserviceError) -> None:
        """Keep what the adapter would answer."""
        super().__init__(str(error))
        self.answer: dict[str, Any] = error.to_dict()


def describe_commands() -> list[CommandDescription]:
    """All commands that are registered, by name."""
    return [_described(name, command) for name, command in sorted(registry.get_all_commands().items())]


def commands_version() -> int:
    """A number that changes whenever a command is registered or unloaded."""
    return int(registry.get_openapi_version())


def tell_of_changed_commands(callback: Callable[[], None]) -> Callable[[], None]:
    """Call ``callback`` whenever a command was registered or unloaded, from any thread.

    Calling what this returns ends that.
    """
    _callbacks.add(callback)
    replace(CommandRegistry, "_bump_openapi_version", _bump_and_tell)
    return partial(_callbacks.discard, callback)


_callbacks: set[Callable[[], None]] = set()


def _bump_and_tell(own: CommandRegistry) -> None:
    type(own)._global_openapi_version += 1
    for callback in tuple(_callbacks):
        callback()


def check_parameters(name: str, params: dict[str, Any]) -> None:
    """Check that ``params`` pass the schema of a registered command.

    Raises:
        CommandRefused: they do not.
    """
    try:
        registry.get_command_instance(name).validate_params(params)
    except MicroserviceError as error:
        raise CommandRefused(error) from error


async def run_in_server(name: str, params: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Run a command in this process and answer its result as the adapter tells it.

    Whoever is cancelled meanwhile leaves it to run on. After the adapter's cap for synchronous commands it becomes a
    job, and the answer is about that: ``queued_after_timeout`` is true, ``job_id`` names it. A command that
    ``ends_in_time`` is waited for, and cancelled with its caller.

    Raises:
        CommandRefused: the command did not take its parameters, or failed as only the adapter's own errors do.
    """
    command = registry.get_command(name)
    run = asyncio.ensure_future(command.run(**params, context=context))
    try:
        if getattr(command, "ends_in_time", False):
            return dict((await run).to_dict())
        await _wait_detached(run, name)
        if run.done():
            return dict(run.result().to_dict())
        return dict(await handlers._handle_sync_timeout_fallback(run, name, logger))
    except MicroserviceError as error:
        raise CommandRefused(error) from error


def is_of_parameters(refused: CommandRefused) -> bool:
    """Whether it is the parameters that were refused."""
    return isinstance(refused.__cause__, ValidationError | InvalidParamsError)


async def _wait_detached(run: asyncio.Future[Any], name: str) -> None:
    """Wait for ``run`` for as long as the adapter does, and never cancel it: it may work in a thread."""
    try:
        await asyncio.wait({run}, timeout=synchronous_cap_seconds())
    finally:
        if not run.done():
            # A loop holds its tasks only weakly.
            _detached.add(run)
            run.add_done_callback(_detached.discard)
            handlers._detach_command_task(run, name, logger)


def _described(name: str, command: Any) -> CommandDescription:
    return CommandDescription(
        name=name,
        description=_description(name, command),
        parameters=_schema(command, "get_schema", name),
        result=_schema(command, "get_result_schema", name),
        use_queue=bool(getattr(command, "use_queue", False)),
        ends_in_time=bool(getattr(command, "ends_in_time", False)),
        annotations=getattr(command, "mcp_annotations", {}),
        requires=getattr(command, "mcp_requires", {}),
        asks_for=getattr(command, "mcp_ask_for", {}),
    )


def _description(name: str, command: Any) -> str:
    try:
        return storable(str(command.descr or command.__doc__ or name).strip())
    except Exception:  # noqa: BLE001 - the application's code; it is logged, once
        _log_once("The command %s cannot tell its description", name)
        return name


def _schema(command: Any, method: str, name: str) -> Schema:
    try:
        schema = getattr(command, method)()
        return dict(schema) if isinstance(schema, Mapping) else {}
    except Exception:  # noqa: BLE001 - the same: a command that cannot say what it takes can still be called
        _log_once("The command %s cannot tell its schema", name)
        return {}


_logged: set[tuple[str, str]] = set()


def _log_once(message: str, name: str) -> None:
    """Log the exception that is being handled, unless that was said of this command before."""
    if (message, name) not in _logged:
        _logged.add((message, name))
        logger.exception(message, name)
