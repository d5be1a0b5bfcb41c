"""The endpoint as a whole: a server of the official SDK whose tools are the adapter's commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.shared.inbound import MCP_METHOD_HEADER
from mcp_types import DiscoverResult, ListToolsResult, PaginatedRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mcp_queue_plugin.adapter.bridge import tools
from mcp_queue_plugin.adapter.callers import NOBODY, current_caller
from mcp_queue_plugin.mcp.calls import ToolCalls, run_with_context
from mcp_queue_plugin.mcp.capabilities import RequestContext
from mcp_queue_plugin.mcp.catalog import TOOL_NAME, Catalog
from mcp_queue_plugin.mcp.crowd import Crowd
from mcp_queue_plugin.mcp.failures import refuse
from mcp_queue_plugin.mcp.hosts import transport_security
from mcp_queue_plugin.mcp.listening import Listening
from mcp_queue_plugin.mcp.resources import JobResources
from mcp_queue_plugin.mcp.task_methods import TaskMethods
from mcp_queue_plugin.mcp.task_state import TaskTerms
from mcp_queue_plugin.settings import Settings
from mcp_queue_plugin.version import __version__

NAME = "mcp-queue-plugin"

READ_AT_ONCE = frozenset({"server/discover", "tools/list", "resources/list", "resources/templates/list", "tasks/get"})
"""Methods that are answered in one piece, whatever the client would accept: a stream costs a fifth of a call more."""

INSTRUCTIONS = """\
Each tool runs a command of this server. One that takes long answers at once with a job_id, or as a task.
With a job_id: call queue_wait_job; as long as it says timed_out, call it again. Do not start the tool again.
queue_get_job_logs shows what the job writes, queue_stop_job ends it; it goes on if you go away.
If a job asks something (phase input_required), answer with queue_answer_job.
Where a result is cut, queue_get_job_result reads the rest piece by piece.
"""


class McpEndpoint:
    """One server's endpoint."""

    def __init__(self, settings: Settings, server_host: str | None) -> None:
        """Be configured by ``settings``; the server listens on ``server_host``, if that is known."""
        plugin = settings.queue_plugin
        self.settings = plugin.mcp
        self.paths = (plugin.mcp.path, f"{plugin.mcp.path}/")
        """Where it is served."""
        terms = TaskTerms(settings.queue_manager.completed_job_retention_seconds, plugin.mcp.max_output_bytes)
        self._catalog = Catalog(plugin.mcp.tools)
        self._listening = Listening(terms)
        self.server = self._make_server(terms)
        self._security = transport_security(plugin.mcp, server_host)
        self._most_bytes = plugin.security.max_body_bytes
        self._streaming: StreamableHTTPASGIApp | None = None
        self._at_once: StreamableHTTPASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, as an ASGI application."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # The SDK refuses a header that does not say what the body does.
        method = Headers(scope=scope).get(MCP_METHOD_HEADER)
        serve = self._at_once if method in READ_AT_ONCE else self._streaming
        assert serve is not None, "the application serves requests before its start-up"
        await serve(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is none of the protocol's; None for one that is."""
        if scope["path"] not in self.paths:
            # A route matches a path with a line feed behind it as well, which what stands before has not looked at.
            return Response(status_code=404)
        if current_caller() is NOBODY:
            return Response(status_code=401)
        if scope["method"] != "POST":
            # Without sessions there is none to end, and nothing to tell on a stream that no request has asked for.
            return Response(status_code=405, headers={"Allow": "POST"})
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take requests within the block."""
        streaming, at_once = self._manager(in_one_piece=False), self._manager(in_one_piece=True)
        self._streaming, self._at_once = StreamableHTTPASGIApp(streaming), StreamableHTTPASGIApp(at_once)
        loop = asyncio.get_running_loop()

        def tell() -> None:
            # Who registers a command when this loop has ended has nobody to tell.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._listening.tools_have_changed)

        # It tells with every request of a session that it ends, though there are none.
        logging.getLogger("mcp.server.streamable_http").setLevel(logging.WARNING)
        async with streaming.run(), at_once.run():
            tell_no_more = tools.tell_of_changed_commands(tell)
            try:
                yield
            finally:
                tell_no_more()
                self.end_streams()

    def _manager(self, *, in_one_piece: bool) -> StreamableHTTPSessionManager:
        # Without sessions: a request stands for itself, so it may come to a server that was started again meanwhile,
        # and a client that is idle costs nothing.
        return StreamableHTTPSessionManager(
            self.server,
            json_response=in_one_piece,
            stateless=True,
            security_settings=self._security,
            max_request_body_size=self._most_bytes,
        )

    def end_streams(self) -> None:
        """End what would otherwise last as long as its clients."""
        self._listening.close()

    def _make_server(self, terms: TaskTerms) -> Server[Any]:
        crowd = Crowd()
        resources = JobResources(run_with_context, terms.max_output_bytes)
        server: Server[Any] = Server(
            NAME,
            version=__version__,
            instructions=INSTRUCTIONS,
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list_tools,
            on_call_tool=ToolCalls(self._catalog, terms, crowd),  # type: ignore[arg-type]  # a task is a result of an extension
            on_list_resources=resources.list,
            on_list_resource_templates=resources.templates,
            on_read_resource=resources.read,
            on_subscriptions_listen=self._listening,
        )
        TaskMethods(terms, crowd).add_to(server)
        server.add_request_handler("server/discover", RequestParams, self._discover)
        return server

    async def _discover(self, ctx: RequestContext, _: RequestParams) -> DiscoverResult:
        capabilities = self.server.get_capabilities(protocol_version=ctx.protocol_version)
        if capabilities.resources is not None:
            # The SDK takes it for granted where streams are served; jobs come and go too often to tell of each.
            capabilities.resources.list_changed = False
        return DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS), capabilities=capabilities, instructions=INSTRUCTIONS
        )

    async def _list_tools(self, _: RequestContext, params: PaginatedRequestParams | None) -> ListToolsResult:
        cursor = None if params is None else params.cursor
        if cursor is not None and not TOOL_NAME.fullmatch(cursor):
            refuse(f"{cursor!r} is not the nextCursor of a page")
        page, following = self._catalog.page(cursor)
        return ListToolsResult(tools=list(page), next_cursor=following)

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        return self._catalog.input_schema(name)
