"""Which calls take the short way, and that the middleware that stands around it decides on both."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from mcp_proxy_adapter.commands.base import Command
from mcp_proxy_adapter.commands.command_registry import registry
from mcp_proxy_adapter.commands.result import CommandResult, SuccessResult
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message

from mcp_queue_plugin.adapter.access import Access
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH, json_rpc_route
from mcp_queue_plugin.adapter.bridge.server import place_of_deciders
from mcp_queue_plugin.adapter.callers import current_caller
from mcp_queue_plugin.adapter.direct_calls import BODY_BYTES_MAX, DirectCalls
from mcp_queue_plugin.adapter.guard import Gate, Guard, checks_with
from mcp_queue_plugin.settings import AccessSettings, SecuritySettings

TOKEN = "a token that counts"
TOKENS = {"auth": {"use_token": True, "tokens": {TOKEN: []}}}
Next = Callable[[Request], Awaitable[Response]]


class OwnCommand(Command):
    """Answers who calls it."""

    name = "own_command"
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult(data={"owner": current_caller().owner})


class Marks(BaseHTTPMiddleware):
    """Marks a request, and its answer."""

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        request.state.user_id = "marked"
        response = await call_next(request)
        response.headers["X-Marked"] = request.url.path
        return response


class Refuses(BaseHTTPMiddleware):
    """Refuses who says so, with what it was sent."""

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        if request.headers.get("X-Refuse"):
            return PlainTextResponse(await request.body(), 403)
        return await call_next(request)


registry.register(OwnCommand, "custom")


class Served:
    """An application in which every call that the short way does not take fails in its route."""

    def __init__(self, config: dict[str, Any], around: Callable[[ASGIApp], ASGIApp] = Marks) -> None:
        self.reads = 0
        app = FastAPI()
        app.add_api_route(JSON_RPC_PATH, self.answer, methods=["POST"])
        access, security = Access(config, AccessSettings()), SecuritySettings()
        checks = checks_with(())
        guarded = around(Gate(Refuses(Guard(app, access, security, checks)), security, checks))
        route = json_rpc_route(app.router.routes)
        self.app = DirectCalls(guarded, route, access, security, lambda command: command is OwnCommand)

    async def answer(self, request: Request) -> Response:
        """Answer as the adapter's route."""
        return PlainTextResponse(await request.body(), 418)

    async def post(self, body: bytes, path: str = JSON_RPC_PATH, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body of the answer to a request."""
        sent: list[Message] = []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            self.reads += 1
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        all_headers = {"content-length": str(len(body)), "content-type": "application/json"} | headers
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in all_headers.items()],
        }
        await self.app(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:])


def call(method: object = OwnCommand.name, **more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}} | more).encode()


async def test_what_stands_around_decides_and_marks_as_on_the_long_way() -> None:
    served = Served({})
    status, headers, body = await served.post(call())
    assert (status, headers["x-marked"]) == (200, JSON_RPC_PATH)
    assert json.loads(body) == {"jsonrpc": "2.0", "result": {"success": True, "data": {"owner": None}}, "id": 1}
    status, headers, body = await served.post(call(), **{"X-Refuse": "1"})
    assert (status, headers["x-marked"], body) == (403, JSON_RPC_PATH, call())


BESIDE = {
    "another command": call("somebody_elses"),
    "a method that is none": call(None),
    "another version": call(jsonrpc="1.0"),
    "a job id beside": call(job_id="a"),
    "what the adapter answers itself": call("execute_async"),
    "a large one": call(params={"text": "x" * BODY_BYTES_MAX}),
}


@pytest.mark.parametrize("body", BESIDE.values(), ids=BESIDE)
async def test_all_else_is_the_adapters_part_with_the_whole_body(body: bytes) -> None:
    status, headers, answered = await Served({}).post(body)
    assert (status, headers["x-marked"], answered) == (418, JSON_RPC_PATH, body)


async def test_a_call_whose_length_is_not_known_is_the_adapters_part() -> None:
    status, _, answered = await Served({}).post(call(), **{"content-length": "?"})
    assert (status, answered) == (418, call())


async def test_what_is_no_call_is_refused_by_the_guard() -> None:
    status, _, body = await Served({}).post(b"[1, 2")
    assert status == 400
    assert json.loads(body)["error"]["code"] == -32700


async def test_other_paths_are_let_through_unread() -> None:
    assert (await Served({}).post(call(), "/api/other"))[0] == 404


async def test_the_command_knows_who_calls() -> None:
    _, _, body = await Served(TOKENS).post(call(), **{"X-API-Key": TOKEN})
    assert json.loads(body)["result"]["data"]["owner"].startswith("token-")


async def test_of_who_has_no_token_nothing_is_read_before_the_security() -> None:
    reads: list[int] = []

    async def security(_: Request, __: Next) -> Response:
        reads.append(served.reads)
        return PlainTextResponse("", 401)

    served = Served(TOKENS, lambda app: BaseHTTPMiddleware(app, security))
    assert (await served.post(call()))[0] == 401
    assert reads == [0]


class CallsItself(BaseHTTPMiddleware):
    async def __call__(self, *_: Any) -> None:
        """Do without ``dispatch``."""


@pytest.mark.parametrize(
    ("stack", "place"),
    [
        ((), 0),
        ((Marks, Refuses), 0),
        ((GZipMiddleware, Marks, Refuses), 1),
        ((Marks, GZipMiddleware), 2),
        ((Marks, CallsItself, Refuses), 2),
    ],
)
def test_the_way_begins_behind_the_last_that_does_not_decide_by_a_function(stack: tuple[Any, ...], place: int) -> None:
    assert place_of_deciders([Middleware(kind) for kind in stack]) == place
