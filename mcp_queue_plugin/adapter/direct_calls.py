"""JSON-RPC calls of what is the queue's own, answered on a shorter way than the adapter's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.adapter.bridge import json_rpc, server
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH
from mcp_queue_plugin.adapter.enqueue import has_to_be_polled, running_manager, start_answer, submit_command
from mcp_queue_plugin.adapter.guard import take_said
from mcp_queue_plugin.adapter.json_document import encode_document


class _Call(NamedTuple):
    name: str
    command: Any
    """The class that is registered under this name."""
    params: dict[str, Any]
    number: str | int | None
    """The id of the request."""


_Answer = Callable[[_Call, Scope], Awaitable[dict[str, Any]]]


class DirectCalls:
    """ASGI middleware behind the guard: answers calls of the queue's commands, and those that begin a job.

    All others go on to the adapter. Its route takes a call through FastAPI, which builds every answer anew by a model,
    and runs a command in a task of its own with a limit of time. An application's command may need that; an answer of
    the queue is JSON as it stands, and comes in time. What a client sees is the same, to the byte.
    """

    def __init__(self, app: ASGIApp, route: APIRoute, is_own: Callable[[type], bool]) -> None:
        """Answer in place of ``route``, whose requests else go on to ``app``; ``is_own`` knows the queue's commands."""
        self._app = app
        self._route = route
        self._is_own = is_own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whose body the guard has read, one connection or the application's life."""
        call = _call_in(scope)
        answer = None if call is None else self._way_to_answer(call)
        if call is None or answer is None:
            await self._app(scope, receive, send)
            return
        # As the router would: who counts requests by their routes looks here.
        scope.update(route=self._route, endpoint=self._route.endpoint)
        try:
            reply = _reply(call, "result", await answer(call, scope))
        except Exception as error:  # noqa: BLE001 - the border to the command; the answer tells
            reply = _reply(call, "error", json_rpc.told(error))
        await Response(reply, media_type="application/json")(scope, receive, send)

    def _way_to_answer(self, call: _Call) -> _Answer | None:
        if self._is_own(call.command):
            return self._run
        if getattr(call.command, "use_queue", False) and not has_to_be_polled(call.params):
            return self._start
        return None

    async def _run(self, call: _Call, scope: Scope) -> dict[str, Any]:
        check_command(call.name, call.params)
        result = await call.command.run(**call.params, context=json_rpc.context_of(scope))
        return dict(result.to_dict())

    async def _start(self, call: _Call, scope: Scope) -> dict[str, Any]:
        check_command(call.name, call.params)
        server.validate_command(call.name, call.params)
        answer = await submit_command(running_manager(), call.name, call.params, json_rpc.context_of(scope))
        log = json_rpc.request_log(scope)
        if log is not None:
            log("Queued command %s as job %s", call.name, answer.job.job_id)
        return start_answer(answer)


def _call_in(scope: Scope) -> _Call | None:
    """The call that a request to the adapter's route makes, if it says no more than a call has to."""
    said = take_said(scope)
    if scope.get("path") != JSON_RPC_PATH or said is None or said.get("jsonrpc") != "2.0" or "job_id" in said:
        return None
    name = said.get("method")
    command = server.command_class(name)
    return None if command is None else _Call(name, command, said.get("params") or {}, said.get("id"))


def _reply(call: _Call, outcome: str, value: dict[str, Any]) -> bytes:
    return encode_document({"jsonrpc": "2.0", outcome: value, "id": call.number})
