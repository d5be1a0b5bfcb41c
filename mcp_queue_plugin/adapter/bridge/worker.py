"""The adapter's internals inside a worker: its configuration, its commands, its hooks."""

from __future__ import annotations

import importlib
import logging
import traceback
from collections.abc import Iterable
from typing import Any

import mcp_proxy_adapter.config as config_module
from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.hooks import hooks
from mcp_proxy_adapter.commands.result import CommandResult
from mcp_proxy_adapter.core.config.config import Config
from mcp_proxy_adapter.core.config.simple_config import SimpleConfig
from mcp_proxy_adapter.core.errors import MicroserviceError

from mcp_queue_plugin.errors import CommandUnknown

logger = logging.getLogger(__name__)


def restore_config(path: str) -> None:
    """Make ``get_config()`` answer what it answers in the server, whose configuration file is ``path``."""
    config = Config(config_path=path)
    try:
        # The adapter keeps the parsed model beside the raw data; its own code reads it from there.
        config.model = SimpleConfig(path).load()  # type: ignore[attr-defined]
    except Exception:
        # The adapter takes configurations of other forms too; they have no such model, and fail in many ways to be one.
        logger.warning("The configuration %s has no model that the adapter knows", path, exc_info=True)
    config_module._config = config


def import_modules(names: Iterable[str]) -> dict[str, str]:
    """Import each module, which registers its commands; answer the tracebacks of those that fail, by name."""
    failed: dict[str, str] = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - whatever a module of the application raises is its report
            failed[name] = traceback.format_exc()
    return failed


def run_hooks(hook_modules: Iterable[tuple[str, str]]) -> None:
    """Let the application's command hooks register their commands."""
    hooks.execute_custom_commands_hooks(registry)
    hooks.reconstruct_hooks(registry, hook_modules=list(hook_modules))


def queued_commands() -> tuple[str, ...]:
    """The names of the registered commands that run in the background."""
    commands = registry.get_all_commands()
    return tuple(sorted(name for name, command in commands.items() if getattr(command, "use_queue", False)))


async def execute(name: str, params: dict[str, Any], context: dict[str, Any]) -> CommandResult:
    """Run a registered command: its parameters are validated, and what it raises is raised.

    ``Command.run`` turns exceptions into results and so hides them; only a command that overrides it is run through it.

    Raises:
        CommandUnknown: no such command is registered here.
    """
    try:
        command_class = registry.get_command(name)
    except KeyError as error:
        raise CommandUnknown(f"the command {name!r} is not registered in the worker") from error
    if command_class.run.__func__ is not Command.run.__func__:  # type: ignore[attr-defined]
        return await command_class.run(**params, context=context)
    command = registry.get_command_instance(name)
    return await command.execute(**command.validate_params(params), context=context)


def parameters_of(name: str) -> tuple[str, ...]:
    """The parameters that a command's schema names; none for a command that is not registered here."""
    try:
        schema = registry.get_command(name).get_schema()
    except KeyError:
        return ()
    return tuple((schema or {}).get("properties") or ())


def error_code(error: BaseException) -> int | None:
    """The JSON-RPC code of one of the adapter's errors; None for others, and for a code that is none."""
    return as_error_code(getattr(error, "code", None)) if isinstance(error, MicroserviceError) else None


def as_error_code(value: object) -> int | None:
    """``value``, if it can be a code: the adapter takes anything for one, a record keeps integers of 64 bits."""
    return value if type(value) is int and -(2**63) <= value < 2**63 else None
