"""JSON-RPC calls of what is the queue's own, answered on a shorter way than the adapter's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_queue_plugin.adapter.access import check_command
from mcp_queue_plugin.adapter.bridge import json_rpc, server
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH
from mcp_queue_plugin.adapter.enqueue import has_to_be_polled, running_manager, start_answer, submit_command
from mcp_queue_plugin.adapter.guard import take_said


class _Call(NamedTuple):
    name: str
    command: Any
    """The class that is registered under this name."""
    params: dict[str, Any]
    number: str | int | None
    """The id of the request."""


_Outcome = Callable[[], Awaitable[bytes]]


class DirectCalls:
    """ASGI middleware behind the guard: answers calls of the queue's commands, and those that begin a job.

    All others go on to the adapter. Its route takes a call through FastAPI, which builds every answer anew by a model,
    and runs a command in a task of its own, to go on without it when a limit of time is over. An application's command
    may need that; an answer of the queue is JSON as it stands, and waits no longer than it was asked to. The answers
    are the same, to the byte, however long a store that hangs lets them wait.
    """

    def __init__(self, app: ASGIApp, route: APIRoute, is_own: Callable[[type], bool]) -> None:
        """Answer in place of ``route``, whose requests else go on to ``app``; ``is_own`` knows the queue's commands."""
        self._app = app
        self._route = route
        self._is_own = is_own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whose body the guard has read, one connection or the application's life."""
        outcome = self._outcome_of(scope)
        if outcome is None:
            await self._app(scope, receive, send)
            return
        # As the router would: who counts requests by their routes looks here.
        scope.update(route=self._route, endpoint=self._route.endpoint)
        await Response(await outcome(), media_type="application/json")(scope, receive, send)

    def _outcome_of(self, scope: Scope) -> _Outcome | None:
        """What answers a request; None if that is the adapter's part."""
        call = _call_in(scope)
        if call is None:
            return None
        if self._is_own(call.command):
            return partial(_answered, call, scope, _run)
        if getattr(call.command, "use_queue", False) and not has_to_be_polled(call.params):
            return partial(_answered, call, scope, _start)
        return None


def _call_in(scope: Scope) -> _Call | None:
    """The call of a command that a request to the adapter's route makes, if it says no more than a call has to."""
    said = take_said(scope)
    if scope.get("path") != JSON_RPC_PATH or said is None or said.get("jsonrpc") != "2.0" or "job_id" in said:
        return None
    name = said.get("method")
    command = None if name in json_rpc.METHODS_BESIDE_COMMANDS else server.command_class(name)
    return None if command is None else _Call(name, command, said.get("params") or {}, said.get("id"))


async def _answered(
    call: _Call, scope: Scope, act: Callable[[_Call, dict[str, Any], json_rpc.Log], Awaitable[dict[str, Any]]]
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
