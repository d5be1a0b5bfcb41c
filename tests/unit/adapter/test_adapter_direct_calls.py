"""Which calls take the short way, and that the middleware that stands around it decides on both."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from mcp_proxy_adapter.api.middleware.request_logging import RequestLoggingMiddleware
from mcp_proxy_adapter.api.middleware.unified_security import UnifiedSecurityMiddleware
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


class AnotherCommand(Command):
    """Is neither the queue's nor queued."""

    name = "another_command"
    result_class = SuccessResult

    async def execute(self, **_: Any) -> CommandResult:
        return SuccessResult()


registry.register(OwnCommand, "custom")
registry.register(AnotherCommand, "custom")


class Served:
    """An application in which every call that the short way does not take fails in its route."""

    def __init__(
        self, config: dict[str, Any], around: Callable[[ASGIApp], ASGIApp] = Marks, max_body_bytes: int = 1 << 20
    ) -> None:
        self.reads: list[bytes] = []
        self.read_before: list[bytes] | None = None
        app = FastAPI()
        app.add_api_route(JSON_RPC_PATH, self.answer, methods=["POST"])
        access, security = Access(config, AccessSettings()), SecuritySettings(max_body_bytes=max_body_bytes)
        checks = checks_with(())
        guarded = around(
            BaseHTTPMiddleware(Gate(Refuses(Guard(app, access, security, checks)), security, checks), self.note)
        )
        route = json_rpc_route(app.router.routes)
        self.app = DirectCalls(guarded, route, access, security, lambda command: command is OwnCommand)

    async def note(self, request: Request, call_next: Next) -> Response:
        """Keep what was read before."""
        self.read_before = list(self.reads)
        return await call_next(request)

    async def answer(self, request: Request) -> Response:
        """Answer as the adapter's route."""
        return PlainTextResponse(await request.body(), 418)

    async def post(self, *body: bytes, path: str = JSON_RPC_PATH, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body of the answer to a request, whose body comes in so many messages."""
        sent: list[Message] = []
        left = list(body)

        async def receive() -> Message:
            if not left:
                return {"type": "http.disconnect"}
            self.reads.append(left.pop(0))
            return {"type": "http.request", "body": self.reads[-1], "more_body": bool(left)}

        async def send(message: Message) -> None:
            sent.append(message)

        all_headers = {"content-length": str(len(b"".join(body))), "content-type": "application/json"} | headers
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
    "a command that nobody has": call("somebody_elses"),
    "another command": call(AnotherCommand.name),
    "a method that is none": call(None),
    "another version": call(jsonrpc="1.0"),
    "a job id beside": call(job_id="a"),
    "what the adapter answers itself": call("execute_async"),
}


@pytest.mark.parametrize("body", BESIDE.values(), ids=BESIDE)
async def test_all_else_is_the_adapters_part_with_the_whole_body(body: bytes) -> None:
    status, headers, answered = await Served({}).post(body[:20], body[20:])
    assert (status, headers["x-marked"], answered) == (418, JSON_RPC_PATH, body)


LARGE = call(params={"text": "x" * BODY_BYTES_MAX})
UNREAD: dict[str, tuple[bytes, dict[str, str]]] = {
    "larger than what is looked at": (LARGE, {}),
    "of unknown length": (call(), {"content-length": "?"}),
    "in chunks, whatever its length": (call(), {"transfer-encoding": "chunked"}),
    "on another path": (call(), {"path": "/api/other"}),
}


@pytest.mark.parametrize(("body", "how"), UNREAD.values(), ids=UNREAD)
async def test_what_is_the_adapters_part_in_any_case_is_not_read_before(body: bytes, how: dict[str, str]) -> None:
    served = Served({})
    status, _, _ = await served.post(body, **how)
    assert status == (404 if "path" in how else 418)
    assert served.read_before == []


LONG = call(params={"text": "x" * 1000})


async def test_a_request_larger_than_any_may_be_is_refused_by_the_gate() -> None:
    served = Served({}, max_body_bytes=1024)
    assert (await served.post(LONG))[0] == 413
    assert served.read_before == []


async def test_a_call_that_goes_on_beyond_its_length_is_read_no_further_and_counted_by_the_gate() -> None:
    served = Served({}, max_body_bytes=2048)
    parts = [LONG, b" " * 900, b" " * 900, b" "]
    assert (await served.post(*parts, **{"content-length": str(len(LONG))}))[0] == 413
    assert served.read_before == parts[:2]


async def test_a_call_whose_client_went_away_is_not_run_here() -> None:
    status, _, _ = await Served({}).post(call(), **{"content-length": str(len(call()) + 1)})
    assert status == 418


async def test_what_is_no_call_is_refused_by_the_guard() -> None:
    status, _, body = await Served({}).post(b"[1, 2")
    assert status == 400
    assert json.loads(body)["error"]["code"] == -32700


async def test_the_command_knows_who_calls() -> None:
    _, _, body = await Served(TOKENS).post(call(), **{"X-API-Key": TOKEN})
    assert json.loads(body)["result"]["data"]["owner"].startswith("token-")


async def test_of_who_has_no_token_nothing_is_read_before_the_security() -> None:
    served = Served(TOKENS)
    await served.post(call())
    assert served.read_before == []


def test_what_would_not_be_asked_must_not_stand_between() -> None:
    with pytest.raises(TypeError, match="GZipMiddleware stands between"):
        Served({}, GZipMiddleware)


@pytest.mark.parametrize(
    ("stack", "place"),
    [
        ((), 0),
        ((GZipMiddleware, RequestLoggingMiddleware, UnifiedSecurityMiddleware), 1),
        ((RequestLoggingMiddleware, GZipMiddleware), 2),
        ((RequestLoggingMiddleware, Marks, UnifiedSecurityMiddleware), 2),
    ],
)
def test_the_way_begins_behind_the_last_that_is_not_the_adapters_log_or_security(
    stack: tuple[Any, ...], place: int
) -> None:
    assert place_of_deciders([Middleware(kind) for kind in stack]) == place
