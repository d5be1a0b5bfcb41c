"""The composition root: one line builds everything and hooks it into the adapter's start-up and shutdown."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from mcp_proxy_adapter.core.config.section_validators import register_section_validator
from mcp_proxy_adapter.core.config.validators.base_validator import ValidationError
from starlette.middleware import Middleware
from starlette.routing import Route

from mcp_queue_plugin.adapter import access, enqueue, http_errors, push
from mcp_queue_plugin.adapter.access import Access
from mcp_queue_plugin.adapter.bridge import server
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH, json_rpc_route
from mcp_queue_plugin.adapter.direct_calls import DirectCalls
from mcp_queue_plugin.adapter.guard import Gate, Guard, checks_with
from mcp_queue_plugin.adapter.integration import QueueManagerIntegration
from mcp_queue_plugin.commands.catalog import QUEUE_COMMANDS, is_own
from mcp_queue_plugin.errors import ConfigurationError, QueueError
from mcp_queue_plugin.mcp.endpoint import McpEndpoint
from mcp_queue_plugin.settings import Settings, check_settings, load_settings

SECTION = "queue_plugin"

logger = logging.getLogger(__name__)


class QueuePlugin:
    """The queue of one application."""

    def __init__(self, app: FastAPI, settings: Settings, callers: Access, endpoint: McpEndpoint) -> None:
        """Use ``install``; this only keeps what it made."""
        self.app = app
        self.settings = settings
        self.callers = callers
        self.mcp = endpoint
        self.manager: QueueManagerIntegration | None = None
        self.failure: QueueError | None = None
        """Why the queue did not start, for whoever runs the application."""

    @classmethod
    def install(
        cls,
        app: FastAPI,
        config: Mapping[str, Any],
        *,
        source: str = "config",
        base_dir: Path | None = None,
    ) -> QueuePlugin:
        """Run the ``use_queue`` commands of ``app`` in our queue; ``config`` is the adapter's own configuration.

        Call it once, after ``create_app`` and before the application starts. ``source`` names the configuration in
        messages; a relative ``registry_path`` is taken from ``base_dir``, by default the working directory. In the
        dict that ``create_app`` was given, ``queue_manager`` is replaced by the settings in force.

        Raises:
            ConfigurationError: the two sections of the configuration are not valid, a module of
                ``auto_import_modules`` cannot be imported, or the queue is already installed.
        """
        if hasattr(app.state, "queue_plugin"):
            raise ConfigurationError("the queue is already installed in this application")
        settings = load_settings(config, source=source, base_dir=base_dir or Path.cwd())
        endpoint = McpEndpoint(settings, server.listening_host(config))
        plugin = cls(app, settings, Access(config, settings.queue_plugin.access), endpoint)
        enqueue.install()
        push.install()
        access.install()
        import_modules(plugin.settings)
        server.use_manager_class(QueueManagerIntegration)
        server.replace_queue_commands(dict(QUEUE_COMMANDS))
        server.keep_no_request_filters()
        http_errors.install(app)
        plugin._stand_guard(plugin._open_endpoint())
        app.state.queue_plugin = plugin
        plugin._tell_adapter()
        plugin._wrap_lifespan()
        return plugin

    def _open_endpoint(self) -> tuple[str, ...]:
        """Route to the MCP endpoint, if there is to be one; answers its paths."""
        if not self.mcp.settings.enabled:
            return ()
        # Before the adapter's: a path that it has as well is the one that was configured.
        self.app.router.routes[:0] = [Route(path, self.mcp) for path in self.mcp.paths]
        return self.mcp.paths

    def _stand_guard(self, mcp_paths: Sequence[str]) -> None:
        """The gate before the adapter's security and the guard behind it, both within what logs and tells browsers.

        Calls of the queue's own are answered before the log, but by what log and security decide.
        """
        security, stack, checks = self.settings.queue_plugin.security, self.app.user_middleware, checks_with(mcp_paths)
        if JSON_RPC_PATH not in mcp_paths:
            route = json_rpc_route(self.app.router.routes)
            direct = Middleware(DirectCalls, route=route, access=self.callers, security=security, is_own=is_own)
            stack.insert(server.place_of_deciders(stack), direct)
        stack.insert(server.place_of_security(stack), Middleware(Gate, security=security, checks=checks))
        stack.append(Middleware(Guard, access=self.callers, security=security, checks=checks))

    def _tell_adapter(self) -> None:
        """Let the adapter's start-up read the settings in force: a variable may have disabled the queue."""
        adapters_config = getattr(self.app.state, "mcp_proxy_adapter_config", None)
        if isinstance(adapters_config, dict):
            adapters_config["queue_manager"] = self.settings.queue_manager.as_json()

    def _wrap_lifespan(self) -> None:
        """Start before the adapter's start-up and stop after its shutdown."""
        adapters_own = self.app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
            async with self._running_manager() as manager, adapters_own(app) as state, self.mcp.running():
                server.replace_queue_commands(dict(QUEUE_COMMANDS))
                if manager is not None:
                    # Only now: the adapter's start-up extends the import path that workers take over.
                    await manager.warm_up()
                yield state

        self.app.router.lifespan_context = lifespan

    @asynccontextmanager
    async def _running_manager(self) -> AsyncIterator[QueueManagerIntegration | None]:
        if not self.settings.queue_manager.enabled:
            logger.warning("The queue is disabled by queue_manager.enabled: use_queue commands are refused")
            yield None
            return
        self.manager = manager = QueueManagerIntegration.from_settings(self.settings, access=lambda: self.callers.mode)
        try:
            await manager.open()
        except QueueError as error:
            self.failure = error
            raise
        server.set_global_manager(manager)
        try:
            yield manager
        finally:
            await manager.stop()
            if server.global_manager_or_none() is manager:
                server.set_global_manager(None)


def import_modules(settings: Settings) -> None:
    """Import ``auto_import_modules``, which register the application's commands and job types.

    Raises:
        ConfigurationError: one of them cannot be imported; the cause is chained.
    """
    for name in settings.queue_plugin.auto_import_modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            # Whatever a module of the application raises, it is known here which setting named it.
            raise ConfigurationError(
                f"queue_plugin.auto_import_modules: {name} cannot be imported: {type(error).__name__}: {error}"
            ) from error


def validate_section(_: Any, config: dict[str, Any]) -> list[ValidationError]:
    """Check our two sections, and the environment over them, for the adapter's own configuration check."""
    return [
        ValidationError(message=str(problem), section=SECTION, key=problem.path)
        for problem in check_settings(config, environ=os.environ, source="config")
    ]


register_section_validator(SECTION, validate_section)
