"""Looking at a task is cheap: it is answered in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from mcp_types import HEADER_MISMATCH

from tests.acceptance.harness.mcp import cancel_task, connected, start_task
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.waiting import Gate
from tests.acceptance.test_mcp_tasks import HEADERS, envelope

ONE_PIECE = {**HEADERS, "Accept": "application/json"}


def posted(server: Server, method: str, header: str, params: dict[str, Any], name: str) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": envelope(**params)}
    return httpx.post(f"{server.url}/mcp", json=body, headers={**ONE_PIECE, "Mcp-Method": header, "Mcp-Name": name})


async def test_a_look_is_answered_in_one_piece_and_a_call_as_a_stream_may_be(application: Server, gate: Gate) -> None:
    async with connected(application.url) as client:
        task_id = (await start_task(client, "hold", gate=str(gate)))["taskId"]
        looked = await asyncio.to_thread(posted, application, "tasks/get", "tasks/get", {"taskId": task_id}, task_id)
        assert looked.headers["Content-Type"] == "application/json"
        assert looked.json()["result"]["status"] == "working"
        call = {"name": "hold", "arguments": {"gate": str(gate)}}
        refused = await asyncio.to_thread(posted, application, "tools/call", "tools/call", call, "hold")
        assert refused.status_code == 406
        disguised = await asyncio.to_thread(posted, application, "tools/call", "tasks/get", call, "hold")
        assert disguised.json()["error"]["code"] == HEADER_MISMATCH
        await cancel_task(client.session, task_id)
