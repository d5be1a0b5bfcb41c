"""What stands before the adapter's routes: it knows who calls, and lets in only what they can read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_queue_plugin.adapter.access import Access
from mcp_queue_plugin.adapter.bridge.json_rpc import JSON_RPC_PATH
from mcp_queue_plugin.adapter.callers import NOBODY, calling
from mcp_queue_plugin.adapter.wire import check_batch, check_call, check_message, check_object
from mcp_queue_plugin.errors import InvalidRequest, RequestTooLarge
from mcp_queue_plugin.settings import SecuritySettings

POLICY_VIOLATION = 1008
"""Close code of RFC 6455; before the connection is accepted the server answers 403 instead."""

Check = Callable[[bytes, int], object]
"""Refuses the body of a request that has no one meaning, or is nested deeper than so many levels."""

Checks = Mapping[str, Check]
"""How the body of a request is checked, by its path."""

_ADAPTERS_ROUTES: Checks = {
    JSON_RPC_PATH: check_call,
    "/api/jsonrpc/batch": check_batch,
    "/api/async": check_object,
}
_TOOLS = "/tools/"
_DIGITS_MAX = 15
_PASSED_OVER = 4


def checks_with(mcp_paths: Sequence[str]) -> Checks:
    """The checks of the adapter's routes, and of MCP at these paths."""
    return {**_ADAPTERS_ROUTES, **dict.fromkeys(mcp_paths, check_message)}


class Gate:
    """ASGI middleware before the adapter's own, which may read whatever it gets: bounds how much that is.

    It keeps nothing of it: who has no token is refused by the adapter before the body was read.
    """

    def __init__(self, app: ASGIApp, security: SecuritySettings, checks: Checks) -> None:
        """Stand before ``app``, whose bodies are bounded where there are ``checks`` of them."""
        self.app = app
        self._most = security.max_body_bytes
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one connection or the application's life."""
        check = _check_of(scope, self._checks)
        if check is None:
            await self.app(scope, receive, send)
            return
        if (announced_bytes(scope) or 0) > self._most:
            await self._refuse(check, scope, receive, send)
            return
        size, answering = 0, False

        def is_refused() -> bool:
            return size > self._most and not answering

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            # To who reads it the client is gone.
            return {"type": "http.disconnect"} if size > self._most else message

        async def answered(message: Message) -> None:
            nonlocal answering
            if not is_refused():
                answering = True
                await send(message)

        try:
            await self.app(scope, counted, answered)
        except Exception:
            if not is_refused():
                raise
        if is_refused():
            await self._refuse(check, scope, receive, send)

    async def _refuse(self, check: Check, scope: Scope, receive: Receive, send: Send) -> None:
        """Read on for a while and keep nothing: who still sends when the connection closes does not see the answer."""
        passed, more = 0, True
        while more and passed < _PASSED_OVER * self._most:
            message = await receive()
            passed += len(message.get("body", b""))
            more = message.get("more_body", False)
        await _refusal(_too_large(self._most), check)(scope, receive, send)


class Guard:
    """ASGI middleware behind the adapter's own, which has refused by then whom it refuses."""

    def __init__(self, app: ASGIApp, access: Access, security: SecuritySettings, checks: Checks) -> None:
        """Stand before ``app``, whose bodies are read if there are ``checks`` of them."""
        self._app = app
        self._access = access
        self._security = security
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one connection or the application's life."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        caller = self._access.caller_of(scope)
        with calling(caller):
            if scope["type"] == "http":
                await self._serve_request(scope, receive, send)
            elif caller is NOBODY:
                await receive()
                await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "a token is required"})
            else:
                await self._app(scope, self._checked_messages(receive, send), send)

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        check = _check_of(scope, self._checks)
        if check is None:
            await self._app(scope, receive, send)
            return
        # The gate has counted it.
        body, _ = await begun(receive, math.inf)
        try:
            check(body, self._security.max_depth)
        except InvalidRequest as error:
            await _refusal(error, check)(scope, receive, send)
            return
        await self._app(scope, replay(body, receive), send)

    def _checked_messages(self, receive: Receive, send: Send) -> Receive:
        """The messages of a WebSocket that can be read; one that cannot is answered with an error."""

        async def next_message() -> Message:
            while True:
                message = await receive()
                text = message.get("text")
                if message["type"] != "websocket.receive" or text is None:
                    return message
                try:
                    data = text.encode("utf-8", "surrogatepass")
                    if len(data) > self._security.max_body_bytes:
                        raise _too_large(self._security.max_body_bytes)
                    check_object(data, self._security.max_depth)
                except InvalidRequest as error:
                    refusal = JSONResponse({"action": "command_error", **_plain(error)})
                    await send({"type": "websocket.send", "text": bytes(refusal.body).decode()})
                else:
                    return message

        return next_message


def announced_bytes(scope: Scope) -> int | None:
    """How large the body of a request is, as it says; None if it does not, or comes in chunks all the same."""
    headers = Headers(scope=scope)
    announced = headers.get("Content-Length", "")
    if not announced.isdecimal() or "Transfer-Encoding" in headers:
        return None
    return int(announced) if len(announced) <= _DIGITS_MAX else 10**_DIGITS_MAX


def _too_large(most: int) -> RequestTooLarge:
    return RequestTooLarge(f"the request is larger than {most} bytes", max_body_bytes=most)


async def begun(receive: Receive, most: float) -> tuple[bytes, bool]:
    """The body of a request as far as the message that goes beyond ``most`` bytes, and whether more of it may come.

    Of a request whose client went away it is what has come, which is then no request.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= most:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return b"".join(parts), more


def _check_of(scope: Scope, checks: Checks) -> Check | None:
    """How the body of a request is checked; None if its route reads it by itself."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path: str = scope["path"]
    return checks.get(path) or (check_object if path.startswith(_TOOLS) else None)


def _plain(error: InvalidRequest) -> dict[str, Any]:
    return {"error": error.message, "code": error.code, "data": error.details()}


def _refusal(error: InvalidRequest, check: Check) -> JSONResponse:
    if check is check_object:
        return JSONResponse(_plain(error), error.http_status)
    said = {"code": error.code, "message": error.message, "data": error.details()}
    return JSONResponse({"jsonrpc": "2.0", "error": said, "id": None}, error.http_status)


def replay(body: bytes, receive: Receive, *, more: bool = False) -> Receive:
    """What a route receives: the body that was read, its beginning if there is ``more``, and then what comes next."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": more}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
