"""JSON-RPC calls of what is the queue's own, answered on a shorter way than the adapter's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_queue_plugin.adapter.access import Access, check_command
from mcp_queue_plugin.adapter.bridge import json_rpc, server
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH
from mcp_queue_plugin.adapter.callers import NOBODY, calling
from mcp_queue_plugin.adapter.enqueue import has_to_be_polled, running_manager, start_answer, submit_command
from mcp_queue_plugin.adapter.guard import Gate, Guard, announced_bytes, begun, replay
from mcp_queue_plugin.adapter.wire import check_call
from mcp_queue_plugin.errors import InvalidRequest
from mcp_queue_plugin.settings import SecuritySettings

BODY_BYTES_MAX = 64 * 1024
"""How large a request may be that is looked at here: a larger one costs more than the way that it takes."""


class _Call(NamedTuple):
    name: str
    command: Any
    """The class that is registered under this name."""
    params: dict[str, Any]
    number: str | int | None
    """The id of the request."""


_Act = Callable[[Scope], Awaitable[bytes]]


class DirectCalls:
    """ASGI middleware before the adapter's log: answers calls of the queue's commands, and those that begin a job.

    All others go on to the adapter. Its middleware hands every message on through a task of its own; its route takes a
    call through FastAPI, which builds every answer anew by a model, and runs a command in one more task, to go on
    without it when a limit of time is over. An application's command may need that; an answer of the queue is JSON as
    it stands, and waits no longer than it was asked to. The adapter's log and security decide here as well, by the same
    functions; what gate and guard see to is seen to here. The answers are the same, to the byte, however long a store
    that hangs lets them wait.
    """

    def __init__(
        self, app: ASGIApp, route: APIRoute, access: Access, security: SecuritySettings, is_own: Callable[[type], bool]
    ) -> None:
        """Answer in place of ``route``, whose requests else go on to ``app``; ``is_own`` knows the queue's commands."""
        self._app = app
        # From the innermost: each is asked before those that it lets a request through to.
        self._layers = tuple(_layers_of(app))[::-1]
        self._route = route
        self._access = access
        self._most = min(BODY_BYTES_MAX, security.max_body_bytes)
        self._max_depth = security.max_depth
        self._is_own = is_own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one connection or the application's life."""
        size = self._size_of(scope)
        if size is None:
            await self._app(scope, receive, send)
            return
        body, more = await begun(receive, size)
        again = replay(body, receive, more=more)
        act = None if more or len(body) != size else self._act_of(body)
        if act is None:
            await self._app(scope, again, send)
            return
        response = await self._behind_the_layers(act)(Request(scope, again))
        await response(scope, again, send)

    def _size_of(self, scope: Scope) -> int | None:
        """How many bytes a request has that may be a call; None if it is to be read by others, or by nobody."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != JSON_RPC_PATH:
            return None
        size = announced_bytes(scope)
        if size is None or size > self._most or self._access.caller_of(scope) is NOBODY:
            return None
        return size

    def _act_of(self, body: bytes) -> _Act | None:
        """What answers a request; None if that is the adapter's part."""
        call = _call_in(body, self._max_depth)
        if call is None:
            return None
        if self._is_own(call.command):
            return partial(_answered, call, _run)
        if getattr(call.command, "use_queue", False) and not has_to_be_polled(call.params):
            return partial(_answered, call, _start)
        return None

    def _behind_the_layers(self, act: _Act) -> RequestResponseEndpoint:
        async def answered(request: Request) -> Response:
            # As the router would: who counts requests by their routes looks here.
            request.scope.update(route=self._route, endpoint=self._route.endpoint)
            with calling(self._access.caller_of(request.scope)):
                return Response(await act(request.scope), media_type="application/json")

        answer: RequestResponseEndpoint = answered
        for layer in self._layers:
            answer = _before(answer, layer)
        return answer


def _layers_of(app: Any) -> Iterator[BaseHTTPMiddleware]:
    """The middleware between here and the guard that decides by a function of the request and of what comes next.

    Raises:
        TypeError: something else stands there, and would not be asked.
    """
    while not isinstance(app, Guard):
        if isinstance(app, BaseHTTPMiddleware):
            yield app
        elif not isinstance(app, Gate):
            raise TypeError(f"{type(app).__name__} stands between the queue's middleware: put it before or behind")
        app = app.app


def _before(answer: RequestResponseEndpoint, layer: BaseHTTPMiddleware) -> RequestResponseEndpoint:
    return lambda request: layer.dispatch_func(request, answer)


def _call_in(body: bytes, max_depth: int) -> _Call | None:
    """The call of a command that a request to the adapter's route makes, if it says no more than a call has to."""
    try:
        said = check_call(body, max_depth)
    except InvalidRequest:
        # The guard tells it to who is let in.
        return None
    name = said.get("method")
    if said.get("jsonrpc") != "2.0" or "job_id" in said or name is None or name in json_rpc.METHODS_BESIDE_COMMANDS:
        return None
    command = server.command_class(name)
    return None if command is None else _Call(name, command, said.get("params") or {}, said.get("id"))


async def _answered(
    call: _Call, act: Callable[[_Call, dict[str, Any], json_rpc.Log], Awaitable[dict[str, Any]]], scope: Scope
) -> bytes:
    log = json_rpc.request_log(scope)
    log("Executing command: %s", call.name)
    try:
        check_command(call.name, call.params)
        return _reply(call, "result", await act(call, json_rpc.context_of(scope), log))
    except Exception as error:  # noqa: BLE001 - the border to the command; the answer tells
        return _reply(call, "error", json_rpc.told(error))


async def _run(call: _Call, context: dict[str, Any], log: json_rpc.Log) -> dict[str, Any]:
    begin = time.monotonic()
    result = await call.command.run(**call.params, context=context)
    log("Command '%s' executed in %.3fs", call.name, time.monotonic() - begin)
    return dict(result.to_dict())


async def _start(call: _Call, context: dict[str, Any], log: json_rpc.Log) -> dict[str, Any]:
    server.validate_command(call.name, call.params)
    answer = await submit_command(running_manager(), call.name, call.params, context)
    log("Queued command %s as job %s", call.name, answer.job.job_id)
    return start_answer(answer)


def _reply(call: _Call, outcome: str, value: dict[str, Any]) -> bytes:
    # As FastAPI does it with what the adapter's route answers.
    return to_json({"jsonrpc": "2.0", outcome: value, "id": call.number})
