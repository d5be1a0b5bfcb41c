"""Every way on which the adapter comes to run a command: each is checked first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_proxy_adapter.api import command_session_service, handlers, ws_endpoint
from mcp_proxy_adapter.api.core import app_factory_routes
from mcp_proxy_adapter.core.errors import MicroserviceError, NotFoundError

from mcp_queue_plugin.adapter.bridge.json_rpc import told
from mcp_queue_plugin.adapter.bridge.server import adapter_error, replace, wrap
from mcp_queue_plugin.errors import InvalidRequest, QueueError

Check = Callable[[str, Any], None]
"""Refuses a command, or its parameters."""
Execute = Callable[..., Awaitable[Any]]


class CheckedCommands:
    """The adapter's functions, with a check before each."""

    def __init__(self, check: Check) -> None:
        """Call ``check`` with each command and its parameters.

        What it raises is answered as the JSON-RPC error of that one call, as the error of a session of /ws, or over
        HTTP.
        """
        self._check = check

    def install(self) -> None:
        """Put this before the adapter's functions; again does nothing."""
        wrap(handlers, "execute_command", _after(self._check_for_adapter))
        wrap(handlers, "execute_command_async", _after(self._check_for_adapter))
        wrap(app_factory_routes, "execute_command_async", _after(self._check))
        wrap(app_factory_routes, "execute_tool", self._tool)
        wrap(ws_endpoint, "start_command_session", self._session)
        for module in (handlers, app_factory_routes):
            wrap(module, "handle_json_rpc", self._json_rpc)
        # It would look into the adapter's defaults, and not into its configuration.
        replace(command_session_service, "check_command_permission", lambda *_, **__: True)

    def _session(self, start: Execute) -> Execute:
        async def checked(*, command: str, params: Any, **named: Any) -> Any:
            # As the adapter will read it.
            command = command.strip()
            self._check_for_adapter(command, params)
            return await start(command=command, params=params, **named)

        return checked

    def _tool(self, execute: Execute) -> Execute:
        async def checked(tool_name: str, request: Any, payload: dict[str, Any]) -> Any:
            self._check(str(payload.get("command")), payload.get("params"))
            try:
                return await execute(tool_name, request, payload)
            except NotFoundError:
                raise
            except (MicroserviceError, TypeError) as error:
                # The adapter hands it to a function of other parameters, or a command refuses it.
                raise InvalidRequest(f"the tool {tool_name} cannot be used like that: {error}") from error

        return checked

    def _json_rpc(self, handle: Execute) -> Execute:
        """JSON-RPC whose every failure is the error of its own call; the adapter lets some end the whole request."""

        async def answered(request_data: dict[str, Any], *arguments: Any, **named: Any) -> Any:
            method = request_data.get("method" if "jsonrpc" in request_data else "command")
            try:
                # Some methods are no commands, and come to none of the checks above.
                self._check_for_adapter(str(method), None)
                return await handle(request_data, *arguments, **named)
            except Exception as error:  # noqa: BLE001 - the border to the command; the answer tells
                # The adapter gives a call in its short form the number 1, if it brings none.
                default = None if "jsonrpc" in request_data else 1
                return {"jsonrpc": "2.0", "error": told(error), "id": request_data.get("id", default)}

        return answered

    def _check_for_adapter(self, command: str, params: Any) -> None:
        try:
            self._check(command, params)
        except QueueError as error:
            raise adapter_error(error) from error


def _after(check: Check) -> Callable[[Execute], Execute]:
    """What puts ``check`` before a function that takes a command and its parameters."""

    def wrapper(execute: Execute) -> Execute:
        async def checked(command_name: str, params: Any = None, *arguments: Any, **named: Any) -> Any:
            check(command_name, params)
            return await execute(command_name, params, *arguments, **named)

        return checked

    return wrapper
