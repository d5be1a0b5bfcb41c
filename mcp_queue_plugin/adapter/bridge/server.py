"""The adapter's internals inside a server: its global manager, its way of queueing commands, its commands' registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from mcp_proxy_adapter.api import command_session_service, handlers
from mcp_proxy_adapter.api.core import app_factory_certificates
from mcp_proxy_adapter.api.middleware.request_logging import RequestLoggingMiddleware
from mcp_proxy_adapter.api.middleware.unified_security import UnifiedSecurityMiddleware
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.hooks import hooks
from mcp_proxy_adapter.commands.queue import QUEUE_COMMAND_CLASSES, job_params
from mcp_proxy_adapter.core.config import config as config_module
from mcp_proxy_adapter.core.config.simple_config_validator import SimpleConfigValidator
from mcp_proxy_adapter.core.errors import CommandError, ValidationError
from mcp_proxy_adapter.core.logging import RequestContextFilter, get_global_logger
from mcp_proxy_adapter.integrations import queuemgr_integration
from mcp_proxy_adapter.integrations.queuemgr_integration import global_manager
from starlette.middleware import Middleware

from mcp_queue_plugin.errors import JSONRPC_INVALID_PARAMS, QueueError

Enqueue = Callable[..., Awaitable[dict[str, Any]]]
_WRAPPED = "wrapped_by_mcp_queue_plugin"

GetManager = Callable[[], Awaitable[Any]]


class Manager(Protocol):
    """What the adapter asks of a global manager before it uses it."""

    def is_running(self) -> bool:
        """Whether it can be used."""
        ...


def use_manager_class(manager_class: type) -> None:
    """Let the adapter's own ``init_global_queue_manager`` build ``manager_class``, whoever imported it when."""
    for module in (global_manager, queuemgr_integration):
        replace(module, "QueueManagerIntegration", manager_class)


def set_global_manager(manager: Manager | None) -> None:
    """Make ``manager`` the one that every import path of the adapter answers."""
    with global_manager._global_queue_manager_lock:
        global_manager._global_queue_manager = manager  # type: ignore[assignment]


def global_manager_or_none() -> Any:
    """The adapter's global manager, running or not."""
    return global_manager._peek_global_queue_manager()


def replace_enqueue(enqueue: Enqueue) -> None:
    """Queue every ``use_queue`` command of the HTTP surface through ``enqueue``."""
    replace(handlers, "_enqueue_command", enqueue)


def replace_session_manager(get_manager: GetManager) -> None:
    """Let the command sessions of /ws queue through the manager that ``get_manager`` answers."""
    replace(command_session_service, "get_global_queue_manager", get_manager)


def replace_queue_commands(commands: dict[str, type]) -> None:
    """Register ``commands`` (by name) in place of the adapter's own; what the application registered stays."""
    adapters_own = set(QUEUE_COMMAND_CLASSES)
    registered = registry.get_all_commands()
    for name, command in commands.items():
        current = registered.get(name)
        if current is None or current in adapters_own:
            registry.register(command, "custom")


class _LastingFilters(list[Any]):
    """A logger's filters, but for those that the adapter adds with every request and never takes away."""

    def append(self, added: object) -> None:
        """Keep ``added``, unless it is one of a request: such a filter lets everything through and changes nothing."""
        if not isinstance(added, RequestContextFilter):
            super().append(added)


def keep_no_request_filters() -> None:
    """Let no request leave a filter at the adapter's logger: each one after it would look at all of them."""
    adapters_logger = get_global_logger()
    adapters_logger.filters = _LastingFilters(adapters_logger.filters)


def validate_command(name: str, params: dict[str, Any]) -> None:
    """Check that a command is registered and that ``params`` pass its schema.

    Raises:
        KeyError: it is not registered.
        ValidationError: the adapter's own error, for the caller as it is.
    """
    registry.get_command_instance(name).validate_params(params)


def command_class(name: object) -> type | None:
    """The class of a registered command; None if no such command is registered here."""
    try:
        return registry.get_command(name) if isinstance(name, str) else None
    except KeyError:
        return None


def is_adapters_own(name: str) -> bool:
    """Whether a command is registered that comes with the adapter."""
    found = command_class(name)
    return found is not None and found.__module__.startswith("mcp_proxy_adapter.")


def command_names() -> tuple[str, ...]:
    """The names of all registered commands, sorted."""
    return tuple(sorted(registry.get_all_commands()))


def auto_import_modules() -> list[str]:
    """The modules that the application asked the adapter to import in workers."""
    return list(hooks.get_auto_import_modules())


def hook_modules() -> tuple[tuple[str, str], ...]:
    """The application's command hooks, as (module, function)."""
    return tuple((module, function) for module, function in hooks.get_hook_modules())


def config_path() -> str | None:
    """The configuration file the adapter runs with, if it exists."""
    return job_params._resolve_config_path()


def log_level() -> str | None:
    """The configured log level."""
    return job_params._resolve_log_level()


def synchronous_cap_seconds() -> float:
    """After how long the adapter hands a synchronous command over to the queue."""
    return float(handlers._resolve_sync_command_timeout_seconds())


def configuration_mistakes(config: dict[str, Any], path: str) -> list[str]:
    """What the adapter would refuse in its own sections; ``create_app`` itself ends the process instead of telling."""
    model = app_factory_certificates.build_simple_config_model(config)
    found = SimpleConfigValidator(config_path=path).validate(model, raw_config=config)
    return [config_module._format_validation_error(mistake) for mistake in found]


def listening_host(config: Mapping[str, Any]) -> str | None:
    """The address that the adapter's configuration lets the server listen on; None if it does not say."""
    section = config.get("server")
    host = section.get("host") if isinstance(section, Mapping) else None
    return host if isinstance(host, str) else None


def place_of_security(stack: Sequence[Middleware]) -> int:
    """Where the adapter's own security stands in its stack of middleware, the outermost first; its end if nowhere."""
    kinds: list[object] = [each.cls for each in stack]
    return kinds.index(UnifiedSecurityMiddleware) if UnifiedSecurityMiddleware in kinds else len(kinds)


def place_of_deciders(stack: Sequence[Middleware]) -> int:
    """From where on there is nothing but the adapter's log and security, in a stack of middleware."""
    kinds: list[object] = [each.cls for each in stack]
    place = len(kinds)
    while place and kinds[place - 1] in (RequestLoggingMiddleware, UnifiedSecurityMiddleware):
        place -= 1
    return place


def adapter_error(error: QueueError) -> CommandError | ValidationError:
    """``error`` as one that the adapter's JSON-RPC layer passes to the client as it is."""
    if error.code == JSONRPC_INVALID_PARAMS:
        return ValidationError(error.message, data=error.details())
    raised = CommandError(error.message, data=error.details())
    raised.code = error.code
    return raised


def wrap(module: ModuleType, name: str, wrapper: Callable[[Any], Any]) -> None:
    """Set ``module.name`` to what ``wrapper`` makes of it, once: again it does nothing."""
    current = getattr(module, name, None)
    if not hasattr(current, _WRAPPED):
        replace(module, name, wrapped := wrapper(current))
        setattr(wrapped, _WRAPPED, True)


def replace(owner: ModuleType | type, name: str, value: object) -> None:
    """Set ``owner.name``, which must be there: an adapter that has moved it must fail loudly."""
    if not hasattr(owner, name):
        raise AttributeError(f"this version of the adapter has no {owner.__name__}.{name}")
    setattr(owner, name, value)
